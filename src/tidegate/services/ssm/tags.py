"""AddTagsToResource, RemoveTagsFromResource and ListTagsForResource, for parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from tidegate.api import ssm
from tidegate.api.shape import Context
from tidegate.model.parameter import Parameter
from tidegate.services.ssm.errors import ValidationException
from tidegate.services.ssm.names import find_parameter, parse_wanted
from tidegate.services.ssm.writes import settle
from tidegate.store.store import Put, Store

MAX_TAGS = 50
_PLAIN = re.compile(r"[\w .:/=+\-@]*")


def check_tags(tags: Iterable[ssm.Tag] | None) -> dict[str, str]:
    """By key. ValidationException for a reserved, malformed or repeated key, TooManyTagsError beyond 50."""
    checked: dict[str, str] = {}
    for tag in tags or ():
        if not _PLAIN.fullmatch(tag.key) or not _PLAIN.fullmatch(tag.value):
            raise ValidationException(f"Invalid characters in tag {tag.key}.")
        if tag.key.lower().startswith("aws:"):
            raise ValidationException("aws: prefixed tag key names are not allowed for external use.")
        if tag.key in checked:
            raise ValidationException(f"Duplicate tag key: {tag.key}")
        checked[tag.key] = tag.value
    return _bounded(checked)


def _bounded(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > MAX_TAGS:
        raise ssm.TooManyTagsError(f"A parameter can have at most {MAX_TAGS} tags.")
    return tags


class ParameterTags:
    """The operations on tags."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add_tags_to_resource(
        self, ctx: Context, request: ssm.AddTagsToResourceRequest
    ) -> ssm.AddTagsToResourceResult:
        """Add tags; a key that is there gets the new value."""
        new = check_tags(request.tags)
        await self._change(ctx, request.resource_type, request.resource_id, lambda old: _bounded(old | new))
        return ssm.AddTagsToResourceResult()

    async def remove_tags_from_resource(
        self, ctx: Context, request: ssm.RemoveTagsFromResourceRequest
    ) -> ssm.RemoveTagsFromResourceResult:
        """Remove tags by key; keys that are not there are no error."""
        keys = set(request.tag_keys)
        await self._change(
            ctx,
            request.resource_type,
            request.resource_id,
            lambda old: {key: value for key, value in old.items() if key not in keys},
        )
        return ssm.RemoveTagsFromResourceResult()

    async def list_tags_for_resource(
        self, ctx: Context, request: ssm.ListTagsForResourceRequest
    ) -> ssm.ListTagsForResourceResult:
        """All tags of a parameter."""
        parameter = self._get(ctx, request.resource_type, request.resource_id)
        tags = tuple(ssm.Tag(key=key, value=value) for key, value in parameter.tags.items())
        return ssm.ListTagsForResourceResult(tag_list=tags)

    async def _change(
        self, ctx: Context, kind: str, resource: str, change: Callable[[dict[str, str]], dict[str, str]]
    ) -> None:
        async def attempt() -> None:
            parameter = self._get(ctx, kind, resource)
            await self._store.commit(Put(replace(parameter, tags=change(parameter.tags))))

        await settle(attempt)

    def _get(self, ctx: Context, kind: str, resource: str) -> Parameter:
        """Parameters are the only resources of Systems Manager here."""
        wanted = parse_wanted(ctx, resource)
        found = find_parameter(self._store, wanted) if kind == "Parameter" and not wanted.selector else None
        if found is None:
            raise ssm.InvalidResourceId(f'The resource ID "{resource}" is not valid. Verify the ID and try again.')
        return found
