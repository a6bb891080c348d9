"""The log store as a server runs it: event files in one directory, a sink that fills them, and their upkeep."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog
from anyio.lowlevel import checkpoint

from tidegate.model.log import LogGroup, LogStream
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.sink import StreamSink
from tidegate.store.store import Store, StoreUnavailable

SYNC_SECONDS = 1.0
EXPIRE_SECONDS = 600.0
DAY_MS = 86_400_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LogStore:
    """events: what is read and written by stream id. sink: where the node's containers write to."""

    events: EventLog
    sink: StreamSink

    @classmethod
    @asynccontextmanager
    async def open(cls, root: Path, store: Store, now: Callable[[], float] = time.time) -> AsyncIterator[LogStore]:
        """
        The log store in the directory `root`, looked after while the context is open.

        What has no stream in `store` is removed: the rest of a deletion that a crash cut short. Raises StoreError,
        OSError.
        """
        events = EventLog(root)
        gone = events.remove_others(stream.id for stream in store.select(LogStream))
        if gone:
            _log.info("log events removed", streams=gone, why="their streams are deleted")
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_sync_now_and_then, events)
                group.start_soon(_expire_now_and_then, events, store, now)
                yield cls(events, StreamSink(store, events, now))
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await events.close()


async def expire(events: EventLog, store: Store, now_ms: int) -> None:
    """Delete the files that hold only what its group's retention has ended for. Raises OSError, StoreUnavailable."""
    for group in store.select(LogGroup):
        if group.retention_days is None:
            continue
        for stream in store.select(LogStream, "group", group.name):
            if store.get(LogStream, stream.key) is not None:
                events.expire(stream.id, now_ms - group.retention_days * DAY_MS)
            await checkpoint()


async def _sync_now_and_then(events: EventLog) -> None:
    while True:
        await anyio.sleep(SYNC_SECONDS)
        try:
            await events.sync()
        except OSError as error:
            _log.warning("log events not synced", error=str(error))


async def _expire_now_and_then(events: EventLog, store: Store, now: Callable[[], float]) -> None:
    while True:
        try:
            await expire(events, store, int(now() * 1000))
        except (OSError, StoreUnavailable) as error:
            _log.warning("log events not expired", error=str(error))
        await anyio.sleep(EXPIRE_SECONDS)
