"""What the node hands containers' lines to: log streams, each line in them exactly once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from anyio import to_thread

from tidegate.model.log import Burst, LogGroup, LogStream, LogTargetMissing, stream_key
from tidegate.model.spec import LogTarget
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.stream import Batch
from tidegate.store.store import Conflict, Put, Store, StoreUnavailable

_MISSING = (
    "create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: "
    "The specified log group does not exist. : exit status 1"
)
"""What AWS's log driver says of it."""


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
            stream, is_new = await self._ensure_stream(target, may_create_group=target.create_group)
        except StoreUnavailable as error:
            raise OSError(f"cannot make log stream {target.stream}: {error}") from error
        return 0 if is_new else await to_thread.run_sync(self._events.offset, stream, source)

    async def append(self, target: LogTarget, source: str, bursts: Sequence[Burst], offset: int) -> None:
        """
        See `LogSink.append`. A stream that was deleted is made again, a group is not.

        Raises LogTargetMissing, StoreUnavailable, OSError.
        """
        stream, _ = await self._ensure_stream(target, may_create_group=False)
        ingestion_ms = int(self._now() * 1000)

        def store() -> None:
            timestamps, messages = _columns(bursts)
            self._events.append(stream, Batch(timestamps, messages, ingestion_ms, source, offset))

        await to_thread.run_sync(store)

    async def _ensure_stream(self, target: LogTarget, *, may_create_group: bool) -> tuple[str, bool]:
        """The id of the target's stream, which is durable, and if it was made just now."""
        while True:
            found = self._store.get(LogStream, stream_key(target.group, target.stream))
            if found is not None:
                return found.id, False
            created_at_ms = int(self._now() * 1000)
            group = self._store.get(LogGroup, target.group)
            if group is None and not may_create_group:
                raise LogTargetMissing(_MISSING)
            new_group = [] if group else [Put(LogGroup(name=target.group, created_at_ms=created_at_ms))]
            stream = LogStream(group=target.group, name=target.stream, id=uuid.uuid4().hex, created_at_ms=created_at_ms)
            try:
                await self._store.commit(*new_group, Put(stream))
            except Conflict:
                continue
            return stream.id, True


def _columns(bursts: Sequence[Burst]) -> tuple[list[int], list[str]]:
    """Timestamps in ms, and messages; bytes that are not UTF-8 are replaced."""
    timestamps: list[int] = []
    messages: list[str] = []
    for _, time_ns, lines in bursts:
        texts = [line.decode("utf-8", "replace") for line in lines if line]
        timestamps += [time_ns // 1_000_000] * len(texts)
        messages += texts
    return timestamps, messages
