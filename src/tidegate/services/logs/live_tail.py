"""
StartLiveTail: events as they are stored, every second those of the last.

Beyond 500 events a second the rest is left out, evenly, and the update says so; so it does when a stream is flooded
faster than its events can be looked at. Source: API reference, StartLiveTail; quotas of CloudWatch Logs.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

import anyio
from anyio import to_thread

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.model.log import LogStream
from tidegate.services.logs.filters import get_pattern
from tidegate.services.logs.names import NO_GROUP, get_group, group_arn, parse_arn
from tidegate.services.logs.patterns.pattern import Pattern
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.stream import Batch
from tidegate.store.logs.tap import Tap
from tidegate.store.store import Store

UPDATE_SECONDS: Final = 1.0
SESSION_SECONDS: Final = 3 * 60 * 60
SHOWN_EVENTS: Final = 500
"""In one update."""
SEEN_EVENTS: Final = 20_000
"""Looked at for one update."""
MOST_SESSIONS: Final = 15
"""At the same time."""


class LiveTail:
    """The operation, and the sessions that it has begun."""

    def __init__(self, store: Store, events: EventLog) -> None:
        self._store = store
        self._events = events
        self._sessions = 0

    async def start_live_tail(
        self, ctx: Context, request: logs.StartLiveTailRequest
    ) -> AsyncIterator[logs.StartLiveTailResponseStream]:
        """Begin a session; it ends with its client, or after three hours."""
        wanted = _Wanted(
            groups={self._group(ctx, arn): arn for arn in request.log_group_identifiers},
            names=frozenset(request.log_stream_names or ()),
            prefixes=tuple(request.log_stream_name_prefixes or ()),
        )
        _check(request, len(wanted.groups))
        pattern = get_pattern(request.log_event_filter_pattern)
        if self._sessions >= MOST_SESSIONS:
            raise logs.LimitExceededException(f"You have reached the limit of {MOST_SESSIONS} Live Tail sessions.")
        start = logs.LiveTailSessionStart(
            request_id=ctx.request_id,
            session_id=str(uuid.uuid4()),
            log_group_identifiers=request.log_group_identifiers,
            log_stream_names=request.log_stream_names,
            log_stream_name_prefixes=request.log_stream_name_prefixes,
            log_event_filter_pattern=request.log_event_filter_pattern,
        )
        return self._session(start, wanted, pattern)

    def _group(self, ctx: Context, identifier: str) -> str:
        if not identifier.startswith("arn:") or identifier.endswith("*"):
            raise logs.InvalidParameterException(
                "Each log group must be given by its ARN, which does not end with an asterisk."
            )
        name = parse_arn(ctx, identifier)
        if group_arn(ctx, name) != identifier:
            raise logs.ResourceNotFoundException(NO_GROUP)
        return get_group(self._store, name).name

    async def _session(
        self, start: logs.LiveTailSessionStart, wanted: _Wanted, pattern: Pattern
    ) -> AsyncIterator[logs.StartLiveTailResponseStream]:
        self._sessions += 1
        try:
            with self._events.tap(SEEN_EVENTS) as tap:
                yield logs.StartLiveTailResponseStream(session_start=start)
                ends_at = anyio.current_time() + SESSION_SECONDS
                while anyio.current_time() < ends_at:
                    await anyio.sleep(UPDATE_SECONDS)
                    yield logs.StartLiveTailResponseStream(session_update=await self._update(tap, wanted, pattern))
        finally:
            self._sessions -= 1
        raise logs.SessionTimeoutException("The Live Tail session has been open for three hours, and has ended.")

    async def _update(self, tap: Tap, wanted: _Wanted, pattern: Pattern) -> logs.LiveTailSessionUpdate:
        tapped = tap.take()
        streams = self._find_streams({stream for stream, _ in tapped.batches}, tap, wanted)
        batches = [(streams[stream], batch) for stream, batch in tapped.batches if stream in streams]
        found = await to_thread.run_sync(lambda: _search(batches, pattern.matches)) if batches else []
        return logs.LiveTailSessionUpdate(
            session_metadata=logs.LiveTailSessionMetadata(sampled=tapped.is_partial or len(found) > SHOWN_EVENTS),
            session_results=tuple(_shown(each, wanted) for each in _thin_out(found)),
        )

    def _find_streams(self, ids: set[str], tap: Tap, wanted: _Wanted) -> dict[str, LogStream]:
        """Of those ids, the streams that are wanted; the others are not to be offered any more."""
        if not ids:
            return {}
        streams = (stream for group in wanted.groups for stream in self._store.select(LogStream, "group", group))
        found = {stream.id: stream for stream in streams if stream.id in ids and wanted.has(stream.name)}
        for stream in ids - found.keys():
            tap.ignore(stream)
        return found


class _Wanted(NamedTuple):
    groups: dict[str, str]
    """Names, with the ARNs that they were asked for by."""
    names: frozenset[str]
    prefixes: tuple[str, ...]

    def has(self, stream: str) -> bool:
        if self.names:
            return stream in self.names
        return not self.prefixes or stream.startswith(self.prefixes)


class _Found(NamedTuple):
    timestamp_ms: int
    ingestion_ms: int
    message: str
    stream: LogStream


def _check(request: logs.StartLiveTailRequest, groups: int) -> None:
    names, prefixes = request.log_stream_names, request.log_stream_name_prefixes
    if names and prefixes:
        raise logs.InvalidParameterException("logStreamNames and logStreamNamePrefixes cannot both be specified.")
    if (names or prefixes) and groups > 1:
        raise logs.InvalidParameterException(
            "logStreamNames and logStreamNamePrefixes can only be specified with a single log group."
        )


def _search(batches: list[tuple[LogStream, Batch]], matches: Callable[[str], bool]) -> list[_Found]:
    """In a thread: what matches, by time."""
    found = [
        _Found(time, batch.ingestion_ms, message, stream)
        for stream, batch in batches
        for time, message in zip(batch.timestamps, batch.messages, strict=True)
        if matches(message)
    ]
    found.sort(key=lambda each: each.timestamp_ms)
    return found


def _thin_out(found: list[_Found]) -> list[_Found]:
    """As many as an update holds, evenly from all."""
    if len(found) <= SHOWN_EVENTS:
        return found
    return [found[number * len(found) // SHOWN_EVENTS] for number in range(SHOWN_EVENTS)]


def _shown(found: _Found, wanted: _Wanted) -> logs.LiveTailSessionLogEvent:
    return logs.LiveTailSessionLogEvent(
        log_stream_name=found.stream.name,
        log_group_identifier=wanted.groups[found.stream.group],
        message=found.message,
        timestamp=found.timestamp_ms,
        ingestion_time=found.ingestion_ms,
    )
