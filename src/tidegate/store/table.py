"""
Records of one kind in memory, with their indexes.

A table has no history and no revisions of its own: it does what it is told, and can put an old record back in the
place it had. Order is by birth: a record that changes keeps its place, one that is removed and made again goes last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from tidegate.model.record import Record

R = TypeVar("R", bound=Record)


class _Bucket:
    """The keys under one value of an index, put in order of birth only when they are read out of it."""

    __slots__ = ("_births", "_is_ordered", "_newest")

    def __init__(self) -> None:
        self._births: dict[str, int] = {}
        self._newest = -1
        self._is_ordered = True

    def __len__(self) -> int:
        return len(self._births)

    def add(self, key: str, birth: int) -> None:
        if birth < self._newest:
            self._is_ordered = False
        else:
            self._newest = birth
        self._births[key] = birth

    def remove(self, key: str) -> None:
        del self._births[key]

    def keys(self) -> Iterable[str]:
        if not self._is_ordered:
            self._births = dict(sorted(self._births.items(), key=lambda item: item[1]))
            self._is_ordered = True
        return self._births


class Table(Generic[R]):
    """All records of `kind`."""

    def __init__(self, kind: type[R]) -> None:
        self._kind = kind
        self._rows: dict[str, R] = {}
        self._births: dict[str, int] = {}
        self._next_birth = 0
        self._is_ordered = True
        self._indexes: list[tuple[Callable[[R], str | None], dict[str, _Bucket]]] = []
        self._by_name: dict[str, dict[str, _Bucket]] = {}
        for name, function in kind.INDEXES.items():
            buckets: dict[str, _Bucket] = {}
            self._indexes.append((function, buckets))
            self._by_name[name] = buckets

    def get(self, key: str) -> R | None:
        """The record with this key, or None."""
        return self._rows.get(key)

    def select(self, index: str | None = None, value: str | None = None) -> list[R]:
        """A snapshot, oldest first: all records, or those whose index function gives `value`."""
        if index is None:
            self._put_in_order()
            return list(self._rows.values())
        if index not in self._by_name:
            raise ValueError(f"cannot select {self._kind.KIND} by {index}: it has no such index")
        bucket = self._by_name[index].get(value) if value is not None else None
        return [self._rows[key] for key in bucket.keys()] if bucket else []  # noqa: SIM118

    def put(self, record: R, key: str) -> None:
        """Insert the record, or replace the one with its key in its place."""
        before = self._rows.get(key)
        if before is None:
            self._births[key] = self._next_birth
            self._next_birth += 1
        self._set(key, before, record)

    def remove(self, key: str) -> int:
        """Remove a record that is there; returns its birth, for `restore`."""
        before = self._rows.pop(key)
        birth = self._births[key]
        for function, buckets in self._indexes:
            _unlist(buckets, function(before), key)
        del self._births[key]
        return birth

    def restore(self, record: R, key: str, birth: int) -> None:
        """Bring back a removed record in the place it had."""
        self._births[key] = birth
        self._is_ordered = False
        self._set(key, None, record)

    def _set(self, key: str, before: R | None, after: R) -> None:
        birth = self._births[key]
        self._rows[key] = after
        for function, buckets in self._indexes:
            old = None if before is None else function(before)
            new = function(after)
            if old == new:
                continue
            _unlist(buckets, old, key)
            if new is not None:
                buckets.setdefault(new, _Bucket()).add(key, birth)

    def _put_in_order(self) -> None:
        if self._is_ordered:
            return
        births: dict[str, Any] = self._births
        self._rows = dict(sorted(self._rows.items(), key=lambda item: births[item[0]]))
        self._is_ordered = True


def _unlist(buckets: dict[str, _Bucket], value: str | None, key: str) -> None:
    """Take a key out of an index; an empty bucket goes with it."""
    if value is None:
        return
    bucket = buckets[value]
    bucket.remove(key)
    if not bucket:
        del buckets[value]
