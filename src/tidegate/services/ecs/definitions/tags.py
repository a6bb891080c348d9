"""
Rules for the tags that a task definition is registered with.

Source: API reference, Tag: at most 50, keys of 1-128 and values of up to 256 characters, `aws:` reserved.
"""

from __future__ import annotations

import unicodedata

from tidegate.api import ecs

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256

_OTHERS = frozenset("_.:/=+-@")
_CATEGORIES = ("L", "Z", "N")


def check_tags(tags: tuple[ecs.Tag, ...] | None) -> None:
    """Refuse tags that can't be kept; None is no tags, an empty list an error. Raises ClientException."""
    if tags is None:
        return
    if not tags:
        raise ecs.ClientException("Tags can not be empty.")
    if len(tags) > MAX_TAGS:
        raise ecs.ClientException(f"Too many tags: a task definition can have at most {MAX_TAGS}.")
    keys = set()
    for tag in tags:
        _check_tag(tag)
        if tag.key in keys:
            raise ecs.ClientException(f"Duplicate tag key: {tag.key}")
        keys.add(tag.key)


def _check_tag(tag: ecs.Tag) -> None:
    key, value = tag.key or "", tag.value or ""
    if not 1 <= len(key) <= MAX_KEY or not _is_plain(key):
        raise ecs.ClientException(f"Invalid tag key: '{key[:MAX_KEY]}'")
    if key.lower().startswith("aws:"):
        raise ecs.ClientException(f"Invalid tag key: '{key}'. Keys that start with 'aws:' are reserved.")
    if len(value) > MAX_VALUE or not _is_plain(value):
        raise ecs.ClientException(f"Invalid tag value for key '{key}'.")


def _is_plain(text: str) -> bool:
    """AWS's pattern: letters, separators and numbers of any script, and a few signs."""
    return all(char in _OTHERS or unicodedata.category(char)[0] in _CATEGORIES for char in text)
