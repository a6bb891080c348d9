"""
What every backend of the store shares: the records in memory, and which commits are not durable yet.

A commit is *accepted* (checked, visible to readers, can be undone), then the backend either *settles* it (durable:
the caller is answered, watchers are told) or it *fails*. What comes after a failing commit may have been decided on
what that commit showed, so everything that is not settled fails with it, newest first.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from tidegate.model.record import Record
from tidegate.store.store import Change, Conflict, Delete, Put, StoreUnavailable
from tidegate.store.table import Table

R = TypeVar("R", bound=Record)
Batch = tuple[Change, ...]


class Commit:
    """A commit that was accepted. `changes` carry the records as stored, with their revision."""

    __slots__ = ("_done", "_error", "births", "changes", "revision")

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.changes: Batch = ()
        self.births: dict[int, int] = {}
        """By the number of the change: the place that a removed record had."""
        self._done: anyio.Event | None = None
        self._error: str | None = None

    async def wait(self) -> int:
        """The revision, once the commit is durable. Raises StoreUnavailable if it was undone."""
        self._done = self._done or anyio.Event()
        await self._done.wait()
        if self._error is not None:
            raise StoreUnavailable(self._error)
        return self.revision

    def finish(self, error: str | None = None) -> None:
        """Wake the caller, if it still waits."""
        self._error = error
        self._done = self._done or anyio.Event()
        self._done.set()


class Ledger:
    """
    The memory of a store.

    kinds: the record classes it may hold; empty means that any class is taken when it is first seen.
    """

    def __init__(self, kinds: Iterable[type[Record]] = (), revision: int = 0) -> None:
        self._tables: dict[str, Table[Any]] = {}
        self._classes: dict[str, type[Record]] = {}
        self._revision = revision
        self._unsettled: deque[Commit] = deque()
        self._watchers: dict[MemoryObjectSendStream[Batch], frozenset[str]] = {}
        self._is_closed = False
        self._is_open_to_any_kind = False
        for kind in kinds:
            self._table(kind, is_new=True)
        self._is_open_to_any_kind = not self._tables

    @property
    def revision(self) -> int:
        """The newest revision given out. A revision is never given twice, not even when its commit failed."""
        return self._revision

    @property
    def unsettled(self) -> Sequence[Commit]:
        """Accepted, not durable yet; oldest first."""
        return self._unsettled

    def get(self, kind: type[R], key: str) -> R | None:
        """See `Store.get`."""
        return cast(R | None, self._table(kind).get(key))

    def select(self, kind: type[R], index: str | None = None, value: str | None = None) -> list[R]:
        """See `Store.select`."""
        return cast(list[R], self._table(kind).select(index, value))

    def load(self, record: Record) -> None:
        """Take over a stored record as it is; only before the first commit."""
        self._table(type(record)).put(record, record.key)
        self._revision = max(self._revision, record.revision)

    def accept(self, changes: Sequence[Put | Delete]) -> Commit:
        """Apply all changes to memory, or none. Raises Conflict, and StoreUnavailable once closed."""
        if self._is_closed:
            raise StoreUnavailable("cannot write to the store: it is closed")
        commit = Commit(self._revision + 1)
        try:
            for change in changes:
                self._apply(commit, change)
        except BaseException:
            self._undo(commit)
            raise
        self._revision += 1
        self._unsettled.append(commit)
        return commit

    def withdraw(self, commit: Commit) -> None:
        """Undo the commit that was accepted last, when its backend can't even begin to write it."""
        self._unsettled.remove(commit)
        self._undo(commit)

    def newest(self) -> Commit:
        """The commit that everything before now is durable with: what a commit of nothing waits for."""
        if self._unsettled:
            return self._unsettled[-1]
        commit = Commit(self._revision)
        commit.finish()
        return commit

    def settle(self, count: int) -> None:
        """The oldest `count` commits are durable: tell watchers and callers, in this order."""
        for _ in range(count):
            commit = self._unsettled.popleft()
            self._publish(commit.changes)
            commit.finish()

    def fail(self, why: str) -> None:
        """Undo everything that is not durable, newest first, and tell the callers why."""
        failed = list(self._unsettled)
        self._unsettled.clear()
        for commit in reversed(failed):
            self._undo(commit)
        for commit in failed:
            commit.finish(why)

    @asynccontextmanager
    async def watch(self, *kinds: type[Record]) -> AsyncIterator[AsyncIterator[Batch]]:
        """See `Store.watch`. Without kinds: all of them. The iterator ends when the store is closed."""
        for kind in kinds:
            self._table(kind)
        send, receive = anyio.create_memory_object_stream[Batch](math.inf)
        with send, receive:
            if self._is_closed:
                send.close()
            else:
                self._watchers[send] = frozenset(kind.KIND for kind in kinds)
            try:
                yield receive
            finally:
                self._watchers.pop(send, None)

    def refuse(self) -> None:
        """Accept no more commits."""
        self._is_closed = True

    def close(self) -> None:
        """Accept no more commits, and end the watches."""
        self._is_closed = True
        for send in self._watchers:
            send.close()
        self._watchers.clear()

    def _table(self, kind: type[Record], *, is_new: bool = False) -> Table[Any]:
        name = kind.KIND
        if self._classes.get(name) is kind:
            return self._tables[name]
        if name in self._classes:
            raise ValueError(f"cannot use {kind.__qualname__}: the kind {name} is another class's")
        if not (is_new or self._is_open_to_any_kind):
            raise ValueError(f"cannot use {kind.__qualname__}: the store was opened without the kind {name}")
        self._classes[name] = kind
        self._tables[name] = Table(kind)
        return self._tables[name]

    def _apply(self, commit: Commit, change: Put | Delete) -> None:
        record = change.record
        table = self._table(type(record))
        key = record.key
        before = table.get(key)
        if (0 if before is None else before.revision) != record.revision:
            raise Conflict(record.KIND, key)
        if isinstance(change, Put):
            after = msgspec.structs.replace(record, revision=commit.revision)
            table.put(after, key)
            commit.changes += (Change(before, after),)
        elif before is not None:
            commit.births[len(commit.changes)] = table.remove(key)
            commit.changes += (Change(before, None),)
        else:
            raise Conflict(record.KIND, key)

    def _undo(self, commit: Commit) -> None:
        for number in range(len(commit.changes) - 1, -1, -1):
            change = commit.changes[number]
            key = change.record.key
            table = self._table(type(change.record))
            if change.before is None:
                table.remove(key)
            elif change.after is None:
                table.restore(change.before, key, commit.births[number])
            else:
                table.put(change.before, key)

    def _publish(self, changes: Batch) -> None:
        for send, kinds in self._watchers.items():
            seen = tuple(change for change in changes if change.record.KIND in kinds) if kinds else changes
            if seen:
                send.send_nowait(seen)
