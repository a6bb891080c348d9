"""The events of one log stream: a directory of segments, of which the last is written to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tidegate.store.logs.files import FileCache
from tidegate.store.logs.frame import Frame, encode_frame
from tidegate.store.logs.segment import Segment
from tidegate.store.store import StoreUnavailable

_SEGMENT_NAME = re.compile(r"[0-9]{8}\.log")


class Summary(NamedTuple):
    """What is told of a stream without reading it. The times are None as long as it has no events."""

    first_ms: int | None = None
    last_ms: int | None = None
    last_ingestion_ms: int | None = None
    stored_bytes: int = 0


class Batch(NamedTuple):
    """Events to store together. `source` and `offset`: see `LogSink`; empty for events of no source."""

    timestamps: Sequence[int]
    messages: Sequence[str]
    ingestion_ms: int
    source: str = ""
    offset: int = 0


class StreamLog:
    """
    The stream that is kept in `directory`, which need not be there yet.

    segment_bytes: a segment that has reached this size is followed by a new one.
    """

    def __init__(self, directory: Path, files: FileCache, segment_bytes: int) -> None:
        self.segments: list[Segment] = []
        self._directory = directory
        self._files = files
        self._segment_bytes = segment_bytes
        for path in _segment_paths(directory):
            segment = Segment(path, files)
            segment.load()
            if self.segments:  # a crash may have come between a new segment and what it should begin with
                segment.sources = self.segments[-1].sources | segment.sources
            self.segments.append(segment)

    def offset(self, source: str) -> int:
        """How far `source` has been stored."""
        return self.segments[-1].sources.get(source, 0) if self.segments else 0

    def append(self, batch: Batch) -> bool:
        """
        Store a batch. One that a source has already got stored (its offset was reached) is left out: False.

        Raises StoreUnavailable, and then nothing of the batch is kept.
        """
        if batch.source and batch.offset <= self.offset(batch.source):
            return False
        segment = self._writable()
        first = segment.next_number
        data = encode_frame(
            batch.timestamps,
            batch.messages,
            ingestion_ms=batch.ingestion_ms,
            first_number=first,
            source=batch.source,
            offset=batch.offset,
        )
        low, high = (min(batch.timestamps), max(batch.timestamps)) if batch.timestamps else (0, 0)
        count = len(batch.timestamps)
        frame = Frame(len(data), count, low, high, batch.ingestion_ms, first, batch.source, batch.offset)
        segment.append(data, frame)
        return True

    def summary(self) -> Summary:
        """Times and bytes of what is kept."""
        firsts = [segment.min_ms for segment in self.segments if segment.min_ms is not None]
        lasts = [segment.max_ms for segment in self.segments if segment.max_ms is not None]
        ingestion = max((segment.last_ingestion_ms for segment in self.segments), default=0)
        stored = sum(segment.size for segment in self.segments)
        return Summary(min(firsts, default=None), max(lasts, default=None), ingestion or None, stored)

    def expire(self, before_ms: int) -> None:
        """Delete the segments that hold nothing as new as `before_ms`. Raises OSError, StoreUnavailable."""
        if not any(_is_expired(segment, before_ms) for segment in self.segments):
            return
        if _is_expired(self.segments[-1], before_ms):
            self._add_segment()  # it knows how far the sources are
        for segment in [segment for segment in self.segments if _is_expired(segment, before_ms)]:
            self.segments.remove(segment)
            segment.remove()

    def save_indexes(self) -> None:
        """Make the next opening quick."""
        for segment in self.segments:
            segment.save_index()

    def _writable(self) -> Segment:
        if not self.segments or self.segments[-1].size >= self._segment_bytes:
            self._add_segment()
        return self.segments[-1]

    def _add_segment(self) -> None:
        """A new last segment, which begins with how far the sources are; the one before is done."""
        last = self.segments[-1] if self.segments else None
        number = int(last.path.stem) + 1 if last else 1
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            why = f"cannot make {self._directory} for log events: {error.strerror}; make room, then try again"
            raise StoreUnavailable(why) from error
        segment = Segment(self._directory / f"{number:08d}.log", self._files)
        if last:
            segment.next_number = last.next_number
            for source, offset in last.sources.items():
                data = encode_frame((), (), ingestion_ms=0, first_number=last.next_number, source=source, offset=offset)
                segment.append(data, Frame(len(data), 0, 0, 0, 0, last.next_number, source, offset))
            last.save_index()
        self.segments.append(segment)


def _segment_paths(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if _SEGMENT_NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []


def _is_expired(segment: Segment, before_ms: int) -> bool:
    newest = segment.max_ms
    return newest is not None and newest < before_ms
