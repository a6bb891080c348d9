"""What tags may be, whichever resource carries them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.api import ecs

MAX_TAGS = 50
RESERVED = "aws:"

# Letters, numbers and spaces of any script, and a few signs. Source: API reference, Tag.
_PLAIN = re.compile(r"[\w .:/=+\-@]*")

Tags = tuple[ecs.Tag, ...]


def check_tags(tags: Iterable[ecs.Tag] | None) -> Tags:
    """The tags as given; InvalidParameterException for a missing, reserved, malformed or repeated key."""
    checked = tuple(tags or ())
    keys = set()
    for tag in checked:
        check_key(tag.key)
        assert tag.key is not None
        if not _PLAIN.fullmatch(tag.value or ""):
            raise ecs.InvalidParameterException(f"Invalid characters in tag {tag.key}.")
        if tag.key.lower().startswith(RESERVED):
            raise ecs.InvalidParameterException(f"Tag keys cannot start with {RESERVED} ({tag.key}).")
        if tag.key in keys:
            raise ecs.InvalidParameterException(f"Duplicate tag key: {tag.key}")
        keys.add(tag.key)
    return checked


def check_key(key: str | None) -> None:
    """InvalidParameterException for one that is missing or malformed."""
    if not key:
        raise ecs.InvalidParameterException("Tag key must not be null or empty.")
    if not _PLAIN.fullmatch(key):
        raise ecs.InvalidParameterException(f"Invalid characters in tag {key}.")


def merge_tags(old: Iterable[ecs.Tag], new: Iterable[ecs.Tag]) -> Tags:
    """`new` over `old`, by key, in the order of first appearance; values that were absent become empty."""
    merged = {tag.key: tag for tag in old}
    merged |= {tag.key: tag if tag.value is not None else ecs.Tag(key=tag.key, value="") for tag in new}
    return tuple(merged.values())


def too_many(tags: Iterable[ecs.Tag]) -> bool:
    """More than a resource can carry; those of the system are not counted."""
    return sum(1 for tag in tags if not (tag.key or "").startswith(RESERVED)) > MAX_TAGS
