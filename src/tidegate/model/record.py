"""What every stored record has: a kind, a key, and a revision that only grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One thing the store keeps.

    A record is `spec` (the API shape as the user sent it, never modified), `status` (ours) and
    `revision` (the store's). Subclasses name their KIND, say in `key` what identifies a record within
    its kind, and list in INDEXES the values by which `Store.select` finds records without a scan
    (an index function returns None for a record that should not be found by it).
    """

    KIND: ClassVar[str]
    INDEXES: ClassVar[Mapping[str, Callable[[Any], str | None]]] = {}

    revision: int = 0
    """0: not stored yet. The store sets it; a write with a stale revision is refused."""

    @property
    def key(self) -> str:
        """What identifies this record within its kind."""
        raise NotImplementedError
