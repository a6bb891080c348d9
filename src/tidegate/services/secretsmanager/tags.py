"""TagResource and UntagResource, for secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.secret import Secret
from tidegate.services.secretsmanager.names import get_live_secret
from tidegate.services.secretsmanager.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store

MAX_TAGS = 50
_PLAIN = re.compile(r"[\w .:/=+\-@]*")


def check_tags(tags: Iterable[api.Tag] | None) -> dict[str, str]:
    """By key. InvalidParameterException for a missing, reserved, malformed or repeated key, or more than 50."""
    checked: dict[str, str] = {}
    for tag in tags or ():
        if not tag.key or not _PLAIN.fullmatch(tag.key) or not _PLAIN.fullmatch(tag.value or ""):
            raise api.InvalidParameterException(f"Invalid characters in tag {tag.key or ''}.")
        if tag.key.lower().startswith("aws:"):
            raise api.InvalidParameterException("aws: prefixed tag key names are not allowed for external use.")
        if tag.key in checked:
            raise api.InvalidParameterException(f"Duplicate tag key: {tag.key}")
        checked[tag.key] = tag.value or ""
    return _bounded(checked)


def shown_tags(secret: Secret) -> tuple[api.Tag, ...] | None:
    """As they are described; nothing if there are none."""
    return tuple(api.Tag(key=key, value=value) for key, value in secret.tags.items()) or None


def _bounded(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > MAX_TAGS:
        raise api.InvalidParameterException(f"A secret can have at most {MAX_TAGS} tags.")
    return tags


class SecretTags:
    """The operations."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def tag_resource(self, ctx: Context, request: api.TagResourceRequest) -> None:
        """Add tags; a key that is there gets the new value."""
        new = check_tags(request.tags)
        await self._change(ctx, request.secret_id, lambda old: _bounded(old | new))

    async def untag_resource(self, ctx: Context, request: api.UntagResourceRequest) -> None:
        """Remove tags by key; keys that are not there are no error."""
        keys = set(request.tag_keys)
        await self._change(
            ctx, request.secret_id, lambda old: {key: value for key, value in old.items() if key not in keys}
        )

    async def _change(self, ctx: Context, identifier: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        async def attempt() -> None:
            secret = get_live_secret(self._store, ctx, identifier, self._now())
            await self._store.commit(Put(replace(secret, tags=change(secret.tags), changed_at=self._now())))

        await settle(attempt)
