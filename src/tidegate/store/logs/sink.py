"""What the node hands containers' lines to: log streams, each line in them exactly once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from tidegate.model.log import LogGroup, LogStream, LogTargetMissing, stream_key
from tidegate.model.spec import LogTarget
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.stream import Batch
from tidegate.store.store import Conflict, Put, Store, StoreUnavailable


class Line(Protocol):
    """One line of output: `model.log.LogEvent`."""

    @property
    def timestamp_ms(self) -> int: ...

    @property
    def message(self) -> str: ...


class StreamSink:
    """
    Satisfies the node's `LogSink`. Lines without text are left out, as a log event has at least one character.

    now: seconds since the epoch. A full disk or a broken store raises StoreUnavailable; nothing is kept then.
    """

    def __init__(self, store: Store, events: EventLog, now: Callable[[], float]) -> None:
        self._store = store
        self._events = events
        self._now = now

    async def open(self, target: LogTarget, source: str) -> int:
        """See `LogSink.open`. Raises LogTargetMissing, OSError."""
        try:
            stream = await self._ensure_stream(target, may_create_group=target.create_group)
        except StoreUnavailable as error:
            raise OSError(f"cannot make log stream {target.stream}: {error}") from error
        return self._events.offset(stream, source)

    async def append(self, target: LogTarget, source: str, events: Sequence[Line], offset: int) -> None:
        """
        See `LogSink.append`. A stream that was deleted is made again, a group is not.

        Raises LogTargetMissing, StoreUnavailable, OSError.
        """
        stream = await self._ensure_stream(target, may_create_group=False)
        lines = [event for event in events if event.message]
        timestamps = [line.timestamp_ms for line in lines]
        messages = [line.message for line in lines]
        self._events.append(stream, Batch(timestamps, messages, int(self._now() * 1000), source, offset))

    async def _ensure_stream(self, target: LogTarget, *, may_create_group: bool) -> str:
        """The id of the target's stream, which is durable."""
        while True:
            found = self._store.get(LogStream, stream_key(target.group, target.stream))
            if found is not None:
                return found.id
            created_at_ms = int(self._now() * 1000)
            group = self._store.get(LogGroup, target.group)
            if group is None and not may_create_group:
                raise LogTargetMissing(f"cannot write to log group {target.group}: it does not exist")
            new_group = [] if group else [Put(LogGroup(name=target.group, created_at_ms=created_at_ms))]
            stream = LogStream(group=target.group, name=target.stream, id=uuid.uuid4().hex, created_at_ms=created_at_ms)
            try:
                await self._store.commit(*new_group, Put(stream))
            except Conflict:
                continue
            return stream.id
