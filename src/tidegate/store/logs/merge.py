"""
Events of many streams in order of time, read no further than they are asked for.

The order is total and stays the same from call to call: by timestamp, then by stream, then by the order in which the
stream got them. A `Position` is a place in it, so reading goes on from there whatever came in between.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush, heapreplace
from typing import NamedTuple

from tidegate.store.logs.frame import Event
from tidegate.store.logs.segment import Block, Segment


class Position(NamedTuple):
    """Where an event is; its own text is not needed to go on from it. stream: an id, see `LogStream`."""

    timestamp_ms: int
    stream: str
    number: int


class Window(NamedTuple):
    """Which events to read: start <= timestamp < end, in ms, and beyond a position in the direction of reading."""

    start_ms: int
    end_ms: int
    beyond: Position | None = None


class Found(NamedTuple):
    """An event, and the stream that it is of."""

    stream: str
    event: Event

    @property
    def position(self) -> Position:
        """Where it is."""
        return Position(self.event.timestamp_ms, self.stream, self.event.number)


Bound = tuple[int, ...]
"""Compares with an Event: its first members."""


class _Candidate(NamedTuple):
    edge_ms: int
    """Where reading meets the block: its least timestamp, or minus its greatest when reading backward."""
    rank: int
    segment: Segment
    block: Block
    low: Bound
    high: Bound


def merge(streams: Sequence[tuple[str, Sequence[Segment]]], window: Window, *, is_backward: bool) -> Iterator[Found]:
    """
    The events within the window, oldest first, or newest first if `is_backward`.

    streams: their ids and segments. What is appended while the iterator is in use is not seen. Raises OSError.
    """
    ordered = sorted(streams, key=lambda stream: stream[0])
    candidates: list[_Candidate] = []
    for rank, (stream, segments) in enumerate(ordered):
        low, high = _bounds(stream, window, is_backward=is_backward)
        for segment in segments:
            for block in tuple(segment.blocks):
                if block.max_ms >= low[0] and block.min_ms <= high[0]:
                    edge = -block.max_ms if is_backward else block.min_ms
                    candidates.append(_Candidate(edge, rank, segment, block, low, high))
    candidates.sort(key=lambda candidate: candidate.edge_ms)
    return _merge([stream for stream, _ in ordered], candidates, -1 if is_backward else 1)


def _merge(names: list[str], candidates: list[_Candidate], sign: int) -> Iterator[Found]:
    heap: list[tuple[int, int, int, Event, Iterator[Event]]] = []
    opened = 0
    while heap or opened < len(candidates):
        while opened < len(candidates) and (not heap or candidates[opened].edge_ms <= heap[0][0]):
            _push(heap, candidates[opened], sign)
            opened += 1
        if not heap:
            continue
        _, rank, _, event, rest = heap[0]
        yield Found(names[sign * rank], event)
        following = next(rest, None)
        if following is None:
            heappop(heap)
        else:
            key = (sign * following.timestamp_ms, rank, sign * following.number)
            heapreplace(heap, (*key, following, rest))


def _push(heap: list[tuple[int, int, int, Event, Iterator[Event]]], candidate: _Candidate, sign: int) -> None:
    events = candidate.segment.read(candidate.block)
    events = events[bisect_left(events, candidate.low) : bisect_left(events, candidate.high)]
    rest = iter(events if sign > 0 else reversed(events))
    event = next(rest, None)
    if event is not None:
        heappush(heap, (sign * event.timestamp_ms, sign * candidate.rank, sign * event.number, event, rest))


def _bounds(stream: str, window: Window, *, is_backward: bool) -> tuple[Bound, Bound]:
    """Of the stream's events: the first that is wanted, and the first after it that is not."""
    low: Bound = (window.start_ms,)
    high: Bound = (window.end_ms,)
    if window.beyond is None:
        return low, high
    time, other, number = window.beyond
    if is_backward:
        bound: Bound = (time, number) if stream == other else ((time + 1,) if stream < other else (time,))
        return low, min(high, bound)
    bound = (time, number + 1) if stream == other else ((time + 1,) if stream < other else (time,))
    return max(low, bound), high
