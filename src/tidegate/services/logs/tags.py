"""TagResource, UntagResource and ListTagsForResource, and the older operations by the log group's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from tidegate.api import logs
from tidegate.api.shape import Context, ServiceError
from tidegate.services.logs.names import get_group, parse_arn
from tidegate.services.logs.writes import settle
from tidegate.store.store import Put, Store

MAX_TAGS = 50
_PLAIN = re.compile(r"[\w .:/=+\-@]*")


def check_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """The tags as given; InvalidParameterException for a reserved or malformed key, or a malformed value."""
    checked = dict(tags or {})
    for key, value in checked.items():
        if not _PLAIN.fullmatch(key) or not _PLAIN.fullmatch(value):
            raise logs.InvalidParameterException(f"Invalid characters in tag {key[:200]}.")
        if key.lower().startswith("aws:"):
            raise logs.InvalidParameterException("aws: prefixed tag key names are not allowed for external use.")
    return checked


class ResourceTags:
    """The operations on tags."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def tag_resource(self, ctx: Context, request: logs.TagResourceRequest) -> None:
        """Add tags; a key that is there gets the new value. TooManyTagsException beyond 50."""
        arn = request.resource_arn
        too_many = logs.TooManyTagsException(f"A resource can have at most {MAX_TAGS} tags.", resourceName=arn)
        await self._add(parse_arn(ctx, arn), request.tags, too_many)

    async def untag_resource(self, ctx: Context, request: logs.UntagResourceRequest) -> None:
        """Remove tags by key; keys that are not there are no error."""
        await self._remove(parse_arn(ctx, request.resource_arn), request.tag_keys)

    async def list_tags_for_resource(
        self, ctx: Context, request: logs.ListTagsForResourceRequest
    ) -> logs.ListTagsForResourceResponse:
        """All tags of a log group."""
        group = get_group(self._store, parse_arn(ctx, request.resource_arn))
        return logs.ListTagsForResourceResponse(tags=dict(group.tags))

    async def tag_log_group(self, ctx: Context, request: logs.TagLogGroupRequest) -> None:
        """Add tags, as before 2023. InvalidParameterException beyond 50."""
        too_many = logs.InvalidParameterException(f"A resource can have at most {MAX_TAGS} tags.")
        await self._add(request.log_group_name, request.tags, too_many)

    async def untag_log_group(self, ctx: Context, request: logs.UntagLogGroupRequest) -> None:
        """Remove tags by key, as before 2023."""
        await self._remove(request.log_group_name, request.tags)

    async def list_tags_log_group(
        self, ctx: Context, request: logs.ListTagsLogGroupRequest
    ) -> logs.ListTagsLogGroupResponse:
        """All tags of a log group, as before 2023."""
        return logs.ListTagsLogGroupResponse(tags=dict(get_group(self._store, request.log_group_name).tags))

    async def _add(self, group: str, tags: Mapping[str, str], too_many: ServiceError) -> None:
        new = check_tags(tags)

        def change(old: dict[str, str]) -> dict[str, str]:
            merged = old | new
            if len(merged) > MAX_TAGS:
                raise too_many
            return merged

        await self._change(group, change)

    async def _remove(self, group: str, keys: Iterable[str]) -> None:
        gone = set(keys)
        await self._change(group, lambda old: {key: value for key, value in old.items() if key not in gone})

    async def _change(self, name: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        async def attempt() -> None:
            group = get_group(self._store, name)
            await self._store.commit(Put(msgspec.structs.replace(group, tags=change(group.tags))))

        await settle(attempt)
