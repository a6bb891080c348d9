"""GetLogEvents and FilterLogEvents: events of a stream or a group, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from anyio import to_thread

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.model.log import LogGroup, LogStream
from tidegate.services.logs.filters import get_pattern
from tidegate.services.logs.names import get_stream, group_of
from tidegate.services.logs.patterns.pattern import Pattern
from tidegate.services.logs.put import BATCH_BYTES, DAY_MS, event_bytes
from tidegate.services.logs.tokens import (
    Place,
    read_group_token,
    read_stream_token,
    write_group_token,
    write_stream_token,
)
from tidegate.services.writes import Clock
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.merge import Found, Position, Window
from tidegate.store.store import Store

PAGE_EVENTS = 10_000
PAGE_BYTES = BATCH_BYTES
SCAN_EVENTS = 200_000
"""FilterLogEvents ends a page when it has looked at so many, matching or not; the token goes on."""
_BREATH_EVENTS = 1_000
"""A search gives others their turn after so many."""
_FOR_EVER_MS = 10**15
_BACKWARD_FROM_MS = 1_704_067_200_000
"""2024-01-01: FilterLogEvents reads newest first only from here on. Source: its startFromHead."""


class ReadEvents:
    """The operations that read events."""

    def __init__(self, store: Store, events: EventLog, now: Clock, *, scan_events: int = SCAN_EVENTS) -> None:
        self._store = store
        self._events = events
        self._now = now
        self._scan_events = scan_events

    async def get_log_events(self, ctx: Context, request: logs.GetLogEventsRequest) -> logs.GetLogEventsResponse:
        """A page of one stream, oldest first; without a token it is the first page or the last."""
        group = group_of(self._store, ctx, request.log_group_name, request.log_group_identifier)
        stream = get_stream(self._store, group.name, request.log_stream_name).id
        place = read_stream_token(request.next_token) if request.next_token else None
        is_backward = place.is_backward if place else not request.start_from_head
        beyond = Position(place.timestamp_ms, stream, place.number) if place else None
        end_ms = min(_FOR_EVER_MS, _FOR_EVER_MS if request.end_time is None else request.end_time)
        window = Window(self._start_ms(group, request.start_time), end_ms, beyond)
        limit = request.limit or PAGE_EVENTS
        found = await to_thread.run_sync(
            lambda: _take(self._events.read([stream], window, is_backward=is_backward), limit)
        )
        if is_backward:
            found.reverse()
        forward, backward = _tokens(found, place, window, request.next_token)
        return logs.GetLogEventsResponse(
            events=tuple(
                logs.OutputLogEvent(timestamp=e.timestamp_ms, message=e.message, ingestion_time=e.ingestion_ms)
                for _, e in found
            ),
            next_forward_token=forward,
            next_backward_token=backward,
        )

    async def filter_log_events(
        self, ctx: Context, request: logs.FilterLogEventsRequest
    ) -> logs.FilterLogEventsResponse:
        """A page of the events of a group's streams that match a pattern; it may be empty and yet have a token."""
        group = group_of(self._store, ctx, request.log_group_name, request.log_group_identifier)
        names = {stream.id: stream.name for stream in self._streams(group, request)}
        beyond, is_backward = _direction(request)
        end_ms = _FOR_EVER_MS if request.end_time is None else min(_FOR_EVER_MS, request.end_time + 1)
        window = Window(self._start_ms(group, request.start_time), end_ms, beyond)
        search = _Search(
            lambda: self._events.read(names, window, is_backward=is_backward),
            get_pattern(request.filter_pattern),
            _Page(request.limit or PAGE_EVENTS),
            self._scan_events,
        )
        while not await to_thread.run_sync(search.go_on):
            pass  # others get their turn
        last, page = search.last, search.page
        token = write_group_token(last.position, is_backward=is_backward) if last else None
        events = tuple(_filtered(names[found.stream], found) for found in page.found)
        return logs.FilterLogEventsResponse(events=events, searched_log_streams=(), next_token=token)

    def _streams(self, group: LogGroup, request: logs.FilterLogEventsRequest) -> Sequence[LogStream]:
        prefix = request.log_stream_name_prefix
        if request.log_stream_names is not None:
            if prefix is not None:
                raise logs.InvalidParameterException("logStreamNames and logStreamNamePrefix cannot both be specified.")
            return [get_stream(self._store, group.name, name) for name in request.log_stream_names]
        streams = self._store.select(LogStream, "group", group.name)
        return [stream for stream in streams if stream.name.startswith(prefix or "")]

    def _start_ms(self, group: LogGroup, start_ms: int | None) -> int:
        """Events that have expired are not shown, though their file may still be there."""
        kept_from = 0 if group.retention_days is None else int(self._now() * 1000) - group.retention_days * DAY_MS
        return max(kept_from, start_ms or 0)


class _Page:
    """Takes events as long as there is room, and the first in any case."""

    def __init__(self, limit: int) -> None:
        self.found: list[Found] = []
        self._limit = limit
        self._bytes = 0

    def has_room(self, found: Found) -> bool:
        fits = self._bytes + event_bytes(found.event.message) <= PAGE_BYTES
        return len(self.found) < self._limit and (fits or not self.found)

    def add(self, found: Found) -> None:
        self.found.append(found)
        self._bytes += event_bytes(found.event.message)


class _Search:
    """A search through events, some at a time. To be used by one thread at a time."""

    def __init__(self, read: Callable[[], Iterator[Found]], pattern: Pattern, page: _Page, scan_events: int) -> None:
        self.page = page
        self.last: Found | None = None
        """The last event that was looked at; None: there are no more."""
        self._read = read
        self._events: Iterator[Found] | None = None
        self._pattern = pattern
        self._left = scan_events

    def go_on(self) -> bool:
        """Look at some more; True: the page is done."""
        if self._events is None:
            self._events = self._read()
        page = self.page
        some = list(islice(self._events, _BREATH_EVENTS))
        for found in some:
            is_match = self._pattern.matches(found.event.message)
            if not self._left or (is_match and not page.has_room(found)):
                return True
            if is_match:
                page.add(found)
            self.last = found
            self._left -= 1
        if len(some) == _BREATH_EVENTS:
            return False
        self.last = None
        return True


def _take(events: Iterator[Found], limit: int) -> list[Found]:
    page = _Page(limit)
    for found in events:
        if not page.has_room(found):
            break
        page.add(found)
    return page.found


def _tokens(found: list[Found], place: Place | None, window: Window, given: str | None) -> tuple[str, str]:
    """The forward and the backward token. Where nothing was found, the given token comes back as it was."""
    if found:
        first, last = found[0].event, found[-1].event
        forward = Place(False, last.timestamp_ms, last.number)
        backward = Place(True, first.timestamp_ms, first.number)
        return write_stream_token(forward), write_stream_token(backward)
    if place is None or given is None:
        start_ms = min(window.start_ms, _FOR_EVER_MS)
        return write_stream_token(Place(False, start_ms, -1)), write_stream_token(Place(True, start_ms, -1))
    if place.is_backward:
        return write_stream_token(Place(False, place.timestamp_ms, place.number - 1)), given
    return given, write_stream_token(Place(True, place.timestamp_ms, place.number + 1))


def _direction(request: logs.FilterLogEventsRequest) -> tuple[Position | None, bool]:
    """Where to go on from, and if newest first. A token knows both."""
    if request.next_token is not None:
        return read_group_token(request.next_token)
    is_backward = request.start_from_head is False
    if is_backward and request.start_time is not None and request.start_time < _BACKWARD_FROM_MS:
        raise logs.InvalidParameterException(
            "startFromHead=false is supported only when startTime is on or after Jan 1, 2024 00:00:00 UTC."
        )
    return None, is_backward


def _filtered(stream_name: str, found: Found) -> logs.FilteredLogEvent:
    event = found.event
    return logs.FilteredLogEvent(
        log_stream_name=stream_name,
        timestamp=event.timestamp_ms,
        message=event.message,
        ingestion_time=event.ingestion_ms,
        event_id=f"{event.timestamp_ms:016d}{int(found.stream[:16], 16):020d}{event.number:020d}",
    )
