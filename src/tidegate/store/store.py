"""
The contract of the store.

Records are held in memory and written through in transactions, so that reads cost no I/O. `commit` returns
when the changes would survive kill -9 (and, with a real backend, the loss of power): many commits may share one
fsync. Reads see a commit as soon as it was accepted; watchers see it once it is durable, in the order of revisions.
If the backend refuses (disk full), every commit that shared the write fails with StoreUnavailable, and memory is
as before them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tidegate.model.record import Record

R = TypeVar("R", bound=Record)


class StoreError(Exception):
    """Base of what the store raises.

    StoreError
     +- Conflict           a record changed since it was read; read again and decide again
     +- StoreUnavailable   the backend could not write; nothing of the commit was kept
    """


class Conflict(StoreError):
    """The record's revision is not the stored one (or, for revision 0, the key exists)."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"cannot write {kind} {key}: it changed since it was read")
        self.kind = kind
        self.record_key = key


class StoreUnavailable(StoreError):
    """The backend could not write; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write `record` if the stored revision is still `record.revision` (0: if there is none)."""

    record: Record


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove `record` if the stored revision is still `record.revision`."""

    record: Record


@dataclass(frozen=True, slots=True)
class Change:
    """What a watcher sees: `before` is None for a new record, `after` is None for a removed one."""

    before: Record | None
    after: Record | None

    @property
    def record(self) -> Record:
        """The record, whichever of the two is there."""
        record = self.after or self.before
        assert record is not None
        return record


class Store(Protocol):
    """Implementations: `sqlite`, `memory` (tests, virtual time)."""

    def get(self, kind: type[R], key: str) -> R | None:
        """The record, or None."""

    def select(self, kind: type[R], index: str | None = None, value: str | None = None) -> Iterable[R]:
        """
        The records of a kind, oldest first; with `index`, those whose index function gives `value`.

        The result is a snapshot: it may be kept while the store changes.
        """

    async def commit(self, *changes: Put | Delete) -> int:
        """
        Apply all of `changes` or none; returns the revision that all the records written have now.

        Raises Conflict at once; StoreUnavailable if the backend can't write. Being cancelled while it waits
        for the disk does not undo it. Without changes it returns once all that was accepted before it is durable:
        for whoever answers from what was read.
        """

    def watch(self, *kinds: type[Record]) -> AbstractAsyncContextManager[AsyncIterator[tuple[Change, ...]]]:
        """
        Durable changes to these kinds from the moment of entry on, a commit at a time.

        Enter first, then read with `select`: nothing is missed between. A watcher never loses changes: it
        is backed by an unbounded queue, so it must keep reading.
        """

    async def close(self) -> None:
        """Finish what was accepted, then release the backend."""
