"""
The store of one machine: records in memory, written through to an SQLite file.

A commit is accepted in memory at once and handed to one writer thread. While the thread waits for the disk, more
commits gather; they go together in the next transaction, with one fsync. The loop starts each batch when it has
heard of the end of the one before, so nothing that built on a failed commit ever reaches the disk.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
import msgspec
from anyio import to_thread

from tidegate.model.record import Record
from tidegate.store.ledger import Ledger
from tidegate.store.ownership import ensure_private_directory, ensure_private_file, take_lock
from tidegate.store.schema import SCHEMA, check_schema, ensure_schema
from tidegate.store.store import Change, Delete, Put, StoreError

R = TypeVar("R", bound=Record)
Row = tuple[str, str, int, int, bytes]
Work = Sequence[tuple[str, tuple[Any, ...]]]

_PUT = (
    "INSERT INTO record (kind, key, revision, schema, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, key)"
    " DO UPDATE SET revision = excluded.revision, schema = excluded.schema, value = excluded.value"
)
_DELETE = "DELETE FROM record WHERE kind = ? AND key = ?"
_REVISION = "UPDATE meta SET value = ? WHERE name = 'revision'"


class SqliteStore:
    """See `store.Store`. Made by `SqliteStore.open`; belongs to the event loop that opened it."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, ledger: Ledger, unknown_kinds: frozenset[str], lock: int
    ) -> None:
        self._path = path
        self.unknown_kinds = unknown_kinds
        """Of records that are in the file and were left alone."""
        self._connection = connection
        self._ledger = ledger
        self._lock = lock
        self._encoder = msgspec.json.Encoder()
        self._encoded: dict[int, Work] = {}
        self._call_soon = _loop_caller()
        self._batches: SimpleQueue[Work | None] = SimpleQueue()
        self._in_flight = 0
        self._is_closing = False
        self._closed = anyio.Event()
        self._thread = Thread(target=self._write_batches, name="store-writer", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, path: Path, kinds: Iterable[type[Record]]) -> SqliteStore:
        """
        Own the store at `path` and read it into memory. Records of other kinds are left alone.

        Raises StoreInUse, SchemaTooNew, StoreError (a record can't be read, the file is no store).
        """
        return cls(path, *await to_thread.run_sync(_open, path, tuple(kinds)))

    def get(self, kind: type[R], key: str) -> R | None:
        """See `Store.get`."""
        return self._ledger.get(kind, key)

    def select(self, kind: type[R], index: str | None = None, value: str | None = None) -> Iterable[R]:
        """See `Store.select`."""
        return self._ledger.select(kind, index, value)

    async def commit(self, *changes: Put | Delete) -> int:
        """See `Store.commit`. Without changes it returns when everything that can be read now is durable."""
        if not changes:
            return await self._ledger.newest().wait()
        commit = self._ledger.accept(changes)
        try:
            self._encoded[commit.revision] = self._encode(commit.changes, commit.revision)
        except BaseException:
            self._ledger.withdraw(commit)
            raise
        if not self._in_flight:
            self._start_batch()
        return await commit.wait()

    def watch(self, *kinds: type[Record]) -> AbstractAsyncContextManager[AsyncIterator[tuple[Change, ...]]]:
        """See `Store.watch`."""
        return self._ledger.watch(*kinds)

    async def close(self) -> None:
        """See `Store.close`. May be called again."""
        if not self._is_closing:
            self._is_closing = True
            self._ledger.refuse()
            if not self._in_flight:
                self._batches.put(None)
        with anyio.CancelScope(shield=True):
            await self._closed.wait()

    def _encode(self, changes: tuple[Change, ...], revision: int) -> Work:
        work: list[tuple[str, tuple[Any, ...]]] = []
        for change in changes:
            record = change.record
            if change.after is None:
                work.append((_DELETE, (record.KIND, record.key)))
            else:
                work.append((_PUT, (record.KIND, record.key, revision, SCHEMA, self._encoder.encode(record))))
        return work

    def _start_batch(self) -> None:
        commits = self._ledger.unsettled
        self._in_flight = len(commits)
        work = [item for commit in commits for item in self._encoded.pop(commit.revision)]
        self._batches.put([*work, (_REVISION, (commits[-1].revision,))])

    def _finish_batch(self, error: str | None) -> None:
        if error is None:
            self._ledger.settle(self._in_flight)
        else:
            self._encoded.clear()
            self._ledger.fail(error)
        self._in_flight = 0
        if self._ledger.unsettled:
            self._start_batch()
        elif self._is_closing:
            self._batches.put(None)

    def _finish_close(self) -> None:
        self._thread.join()
        self._ledger.close()
        self._closed.set()

    def _write_batches(self) -> None:
        """The writer thread. An event loop that ended without `close` ends it too."""
        with suppress(RuntimeError):
            while (work := self._batches.get()) is not None:
                self._call_soon(self._finish_batch, self._write(work))
        self._connection.close()
        os.close(self._lock)
        with suppress(RuntimeError):
            self._call_soon(self._finish_close)

    def _write(self, work: Work) -> str | None:
        """One transaction; returns why it failed."""
        connection = self._connection
        try:
            if connection.in_transaction:  # a rollback failed, too
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            for statement, values in work:
                connection.execute(statement, values)
            connection.execute("COMMIT")
        except Exception as error:  # the top of the writer's loop: whatever it was, the callers must hear of it
            with suppress(sqlite3.Error):
                connection.rollback()
            return f"cannot write to the store {self._path}: {error}; make room or repair the disk, then try again"
        return None


def read_record(path: Path, kind: type[R], key: str) -> R | None:
    """
    One record as it is on disk, read by a process that does not own the store. None if it is not there.

    Raises StoreError if there is no store at `path`, SchemaTooNew.
    """
    if not path.is_file():
        raise StoreError(f"cannot read the store {path}: there is no such file; has the server been started?")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)
        try:
            check_schema(connection)
            query = "SELECT value FROM record WHERE kind = ? AND key = ?"
            row = connection.execute(query, (kind.KIND, key)).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"cannot read the store {path}: {error}") from error
    return None if row is None else _decoded(msgspec.json.Decoder(kind), kind.KIND, key, row[0])


def _open(path: Path, kinds: tuple[type[Record], ...]) -> tuple[sqlite3.Connection, Ledger, frozenset[str], int]:
    ensure_private_directory(path.parent)
    lock = take_lock(path.with_name(path.name + ".lock"))
    try:
        ensure_private_file(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=16)
        try:
            return connection, *_load(connection, kinds), lock
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        os.close(lock)
        raise StoreError(f"cannot open the store {path}: {error}") from error
    except BaseException:
        os.close(lock)
        raise


def _load(connection: sqlite3.Connection, kinds: tuple[type[Record], ...]) -> tuple[Ledger, frozenset[str]]:
    check_schema(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    ensure_schema(connection)
    revision = connection.execute("SELECT value FROM meta WHERE name = 'revision'").fetchone()[0]
    ledger = Ledger(kinds, revision)
    decoders: dict[str, msgspec.json.Decoder[Record]] = {kind.KIND: msgspec.json.Decoder(kind) for kind in kinds}
    unknown: set[str] = set()
    for kind, key, value in connection.execute("SELECT kind, key, value FROM record ORDER BY id"):
        decoder = decoders.get(kind)
        if decoder is None:
            unknown.add(kind)
        else:
            ledger.load(_decoded(decoder, kind, key, value))
    return ledger, frozenset(unknown)


def _decoded(decoder: msgspec.json.Decoder[R], kind: str, key: str, value: bytes) -> R:
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {kind} {key} from the store: {error}") from error


def _loop_caller() -> Callable[..., Any]:
    """How a thread hands a call to the event loop that runs now."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon
