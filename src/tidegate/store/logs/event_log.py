"""
The events of all log streams, in files under one directory.

An append is one write(2): when it has returned the events survive kill -9 of this process. They reach the disk
itself at the next `sync` (every second, see `store`) and at `close`, so a loss of power can cost the last second.

Any thread may call; calls wait for the disk, so they are not for an event loop. What concerns one stream happens in
turn, different streams don't wait for each other. Streams are known by their ids (`LogStream.id`); nothing here knows
of groups or names.

    root/v1/ab/abcdef.../00000001.log      events
                        /00000001.index    where to find them; may be missing or behind
"""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anyio import to_thread

from tidegate.store.logs.files import FileCache, sync_paths
from tidegate.store.logs.merge import Found, Window, merge
from tidegate.store.logs.segment import Segment
from tidegate.store.logs.stream import Batch, StreamLog, Summary
from tidegate.store.logs.tap import Tap
from tidegate.store.ownership import ensure_private_directory

SEGMENT_BYTES: Final = 16 * 1024 * 1024
OPEN_FILES: Final = 128
OPEN_STREAMS: Final = 4096
"""Streams whose index is held in memory."""


@dataclass(slots=True)
class _Open:
    """A stream that somebody uses, or whose index is worth holding."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    log: StreamLog | None = None


class EventLog:
    """
    Belongs to the process that owns the state directory.

    root: a directory of its own, made with mode 0700 if it is not there.
    """

    def __init__(
        self,
        root: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        open_files: int = OPEN_FILES,
        open_streams: int = OPEN_STREAMS,
    ) -> None:
        self._root = root / "v1"
        ensure_private_directory(root)
        ensure_private_directory(self._root)
        self._segment_bytes = segment_bytes
        self._open_streams = open_streams
        self._files = FileCache(open_files)
        self._lock = threading.Lock()
        self._streams: OrderedDict[str, _Open] = OrderedDict()
        self._summaries: dict[str, Summary] = {}
        self._taps: tuple[Tap, ...] = ()

    def append(self, stream: str, batch: Batch) -> None:
        """Store a batch, whole or not at all. Raises StoreUnavailable: the disk is full or broken; try again later."""
        with self._opened(stream) as log:
            is_new = log.append(batch)
            self._summaries.pop(stream, None)
        for tap in self._taps if is_new else ():
            tap.offer(stream, batch)

    def offset(self, stream: str, source: str) -> int:
        """How far into `source` the stream's events reach; 0 if it has none of it. Raises OSError."""
        with self._opened(stream) as log:
            return log.offset(source)

    def summary(self, stream: str) -> Summary:
        """The stream's times and bytes. Raises OSError."""
        found = self._summaries.get(stream)
        if found is not None:
            return found
        with self._opened(stream) as log:
            found = self._summaries[stream] = log.summary()
        return found

    def read(self, streams: Iterable[str], window: Window, *, is_backward: bool = False) -> Iterator[Found]:
        """
        The events of these streams within the window, in order of time (see `merge`). Raises OSError.

        A stream that is not there has no events. What is appended meanwhile is not seen. To be used by one thread.
        """
        wanted = [stream for stream in streams if self._may_have(stream, window)]
        return merge([(stream, self._segments(stream)) for stream in wanted], window, is_backward=is_backward)

    @contextmanager
    def tap(self, capacity: int) -> Iterator[Tap]:
        """What is appended while inside, to any stream; see `Tap`."""
        tap = Tap(capacity)
        with self._lock:
            self._taps = (*self._taps, tap)
        try:
            yield tap
        finally:
            with self._lock:
                self._taps = tuple(other for other in self._taps if other is not tap)

    def expire(self, stream: str, before_ms: int) -> None:
        """Delete the files that hold nothing as new as `before_ms`; newer files may go on holding older events."""
        first = self.summary(stream).first_ms
        if first is not None and first < before_ms:
            with self._opened(stream) as log:
                log.expire(before_ms)
                self._summaries.pop(stream, None)

    def remove(self, stream: str) -> None:
        """Delete the stream's events. Succeeds if there are none. Raises OSError."""
        with self._used(stream) as entry:
            for segment in entry.log.segments if entry.log else ():
                self._files.discard(segment.path)
            entry.log = None
            self._summaries.pop(stream, None)
            shutil.rmtree(self._directory(stream), ignore_errors=True)

    def remove_others(self, streams: Iterable[str]) -> int:
        """Delete the events of all streams but these: what a crash in a deletion left. Returns how many they were."""
        kept = set(streams)
        others = [path.name for path in self._root.glob("??/*") if path.name not in kept]
        for stream in others:
            self.remove(stream)
        return len(others)

    async def sync(self) -> None:
        """Wait until all that was appended is on the disk. Raises OSError; then the next call tries again."""
        paths = self._files.take_unsynced()
        if not paths:
            return
        try:
            await to_thread.run_sync(sync_paths, paths)
        except BaseException:
            self._files.note_written(paths)
            raise

    async def close(self) -> None:
        """Sync, keep the indexes, close the files. May be used again afterwards."""
        with self._lock:
            entries, self._streams = list(self._streams.values()), OrderedDict()
        for entry in entries:
            _put_aside(entry)
        await self.sync()
        self._files.close()

    def _may_have(self, stream: str, window: Window) -> bool:
        first, last, _, _ = self.summary(stream)
        return first is not None and last is not None and first < window.end_ms and last >= window.start_ms

    def _segments(self, stream: str) -> tuple[Segment, ...]:
        with self._opened(stream) as log:
            return tuple(log.segments)

    @contextmanager
    def _opened(self, stream: str) -> Iterator[StreamLog]:
        """The stream, for this thread alone."""
        with self._used(stream) as entry:
            if entry.log is None:
                entry.log = StreamLog(self._directory(stream), self._files, self._segment_bytes)
            yield entry.log

    @contextmanager
    def _used(self, stream: str) -> Iterator[_Open]:
        with self._lock:
            entry = self._streams.setdefault(stream, _Open())
            self._streams.move_to_end(stream)
            entry.users += 1
        try:
            with entry.lock:
                yield entry
        finally:
            with self._lock:
                entry.users -= 1
                unused = self._take_unused()
            for old in unused:
                _put_aside(old)

    def _take_unused(self) -> list[_Open]:
        """Streams that are too many: whoever needs one later opens it again."""
        taken: list[_Open] = []
        while len(self._streams) > self._open_streams:
            stream, oldest = next(iter(self._streams.items()))
            if oldest.users:
                break
            del self._streams[stream]
            taken.append(oldest)
        return taken

    def _directory(self, stream: str) -> Path:
        return self._root / stream[:2] / stream


def _put_aside(entry: _Open) -> None:
    if entry.log is not None:
        entry.log.save_indexes()
