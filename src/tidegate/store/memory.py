"""
A store that lives in memory alone: for tests and for planning on virtual time.

No threads and no real time, so it runs under trio's MockClock. A verified fake: it passes the same contract suite
as `sqlite`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from anyio.lowlevel import checkpoint

from tidegate.model.record import Record
from tidegate.store.ledger import Ledger
from tidegate.store.store import Change, Delete, Put

R = TypeVar("R", bound=Record)


class MemoryStore:
    """
    See `store.Store`. A commit is durable at once, and still passes a checkpoint.

    kinds: the record classes it knows, as `SqliteStore` needs them; none means any.
    """

    def __init__(self, *kinds: type[Record]) -> None:
        self._ledger = Ledger(kinds)
        self.unknown_kinds: frozenset[str] = frozenset()
        """See `SqliteStore`; nothing is left over here from another version."""
        self.failure: str | None = None
        """Set by tests: while it is not None, commits are accepted and then fail with this text."""
        self._is_held = False

    def hold(self) -> None:
        """For tests: from now on commits are accepted, and neither become durable nor fail before `release`."""
        self._is_held = True

    def release(self) -> None:
        """For tests: end of `hold`."""
        self._is_held = False
        self._flush()

    def get(self, kind: type[R], key: str) -> R | None:
        """See `Store.get`."""
        return self._ledger.get(kind, key)

    def select(self, kind: type[R], index: str | None = None, value: str | None = None) -> Iterable[R]:
        """See `Store.select`."""
        return self._ledger.select(kind, index, value)

    async def commit(self, *changes: Put | Delete) -> int:
        """See `Store.commit`. Without changes it returns when everything that can be read now is durable."""
        commit = self._ledger.accept(changes) if changes else self._ledger.newest()
        try:
            if self.failure is None:
                self._flush()
            await checkpoint()
        finally:
            self._flush()
        return await commit.wait()

    def watch(self, *kinds: type[Record]) -> AbstractAsyncContextManager[AsyncIterator[tuple[Change, ...]]]:
        """See `Store.watch`."""
        return self._ledger.watch(*kinds)

    async def close(self) -> None:
        """See `Store.close`."""
        self.release()
        self._ledger.close()
        await checkpoint()

    def _flush(self) -> None:
        if self._is_held:
            return
        if self.failure is None:
            self._ledger.settle(len(self._ledger.unsettled))
        else:
            self._ledger.fail(f"cannot write to the store: {self.failure}")
