"""TagResource, UntagResource and ListTagsForResource, for log groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from tidegate.api import logs
from tidegate.api.shape import Context
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
        new = check_tags(request.tags)

        def change(old: dict[str, str]) -> dict[str, str]:
            merged = old | new
            if len(merged) > MAX_TAGS:
                raise logs.TooManyTagsException(
                    f"A resource can have at most {MAX_TAGS} tags.", resourceName=request.resource_arn
                )
            return merged

        await self._change(ctx, request.resource_arn, change)

    async def untag_resource(self, ctx: Context, request: logs.UntagResourceRequest) -> None:
        """Remove tags by key; keys that are not there are no error."""
        keys = set(request.tag_keys)
        await self._change(
            ctx, request.resource_arn, lambda old: {key: value for key, value in old.items() if key not in keys}
        )

    async def list_tags_for_resource(
        self, ctx: Context, request: logs.ListTagsForResourceRequest
    ) -> logs.ListTagsForResourceResponse:
        """All tags of a log group."""
        group = get_group(self._store, parse_arn(ctx, request.resource_arn))
        return logs.ListTagsForResourceResponse(tags=dict(group.tags))

    async def _change(self, ctx: Context, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        async def attempt() -> None:
            group = get_group(self._store, parse_arn(ctx, arn))
            await self._store.commit(Put(msgspec.structs.replace(group, tags=change(group.tags))))

        await settle(attempt)
