"""Tags of users, roles, managed policies and instance profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from tidegate.api.shape import Context, Shape
from tidegate.model.identity import Named
from tidegate.services.iam.entities import read_tags, settled, show_tags, take_page, without_tags
from tidegate.services.iam.roles import check_modifiable
from tidegate.store.store import Put, Store

N = TypeVar("N", bound=Named)


class Tagged(Generic[N]):
    """The operations on the tags of one kind. find: whom a request is about; it raises NoSuchEntity."""

    def __init__(self, store: Store, find: Callable[[Any], N], answer: Callable[..., Shape]) -> None:
        self._store = store
        self._find = find
        self._answer = answer

    async def tag(self, ctx: Context, request: Any) -> None:
        """Add tags; a key that is there gets the new value."""
        await self._change(request, lambda old: read_tags(request.tags, old))

    async def untag(self, ctx: Context, request: Any) -> None:
        """Remove tags by key."""
        await self._change(request, lambda old: without_tags(old, request.tag_keys))

    async def list(self, ctx: Context, request: Any) -> Shape:
        """By key."""
        tags = show_tags(self._find(request).tags)
        found, marker = take_page(tags, lambda tag: tag.key, "ListTags", request.marker, request.max_items)
        return self._answer(tags=found, is_truncated=marker is not None, marker=marker)

    async def _change(self, request: Any, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        async def attempt() -> None:
            named = self._find(request)
            check_modifiable(named)
            await self._store.commit(Put(replace(named, tags=change(named.tags))))

        await settled(attempt)
