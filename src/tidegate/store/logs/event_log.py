"""
The events of all log streams, in files under one directory.

An append is one write(2): when it has returned the events survive kill -9 of this process. They reach the disk
itself at the next `sync` (every second, see `store`) and at `close`, so a loss of power can cost the last second.
Streams are known by their ids (`LogStream.id`); nothing here knows of groups or names.

    root/v1/ab/abcdef.../00000001.log      events
                        /00000001.index    where to find them; may be missing or behind
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from anyio import to_thread

from tidegate.store.logs.files import FileCache, sync_paths
from tidegate.store.logs.merge import Found, Window, merge
from tidegate.store.logs.stream import Batch, StreamLog, Summary
from tidegate.store.ownership import ensure_private_directory

SEGMENT_BYTES: Final = 16 * 1024 * 1024
OPEN_FILES: Final = 128
OPEN_STREAMS: Final = 4096
"""Streams whose index is held in memory."""


class EventLog:
    """
    Belongs to the process that owns the state directory, and to one thread of it.

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
        self._streams: OrderedDict[str, StreamLog] = OrderedDict()
        self._summaries: dict[str, Summary] = {}

    def append(self, stream: str, batch: Batch) -> None:
        """Store a batch, whole or not at all. Raises StoreUnavailable: the disk is full or broken; try again later."""
        log = self._get(stream)
        log.append(batch)
        self._summaries.pop(stream, None)

    def offset(self, stream: str, source: str) -> int:
        """How far into `source` the stream's events reach; 0 if it has none of it. Raises OSError."""
        return self._get(stream).offset(source)

    def summary(self, stream: str) -> Summary:
        """The stream's times and bytes. Raises OSError."""
        found = self._summaries.get(stream)
        if found is None:
            found = self._summaries[stream] = self._get(stream).summary()
        return found

    def read(self, streams: Iterable[str], window: Window, *, is_backward: bool = False) -> Iterator[Found]:
        """
        The events of these streams within the window, in order of time (see `merge`). Raises OSError.

        A stream that is not there has no events. What is appended meanwhile is not seen.
        """
        wanted = [stream for stream in streams if self._may_have(stream, window)]
        return merge(
            [(stream, tuple(self._get(stream).segments)) for stream in wanted], window, is_backward=is_backward
        )

    def expire(self, stream: str, before_ms: int) -> None:
        """Delete the files that hold nothing as new as `before_ms`; newer files may go on holding older events."""
        first = self.summary(stream).first_ms
        if first is not None and first < before_ms:
            self._get(stream).expire(before_ms)
            self._summaries.pop(stream, None)

    def remove(self, stream: str) -> None:
        """Delete the stream's events. Succeeds if there are none. Raises OSError."""
        log = self._streams.pop(stream, None)
        for segment in log.segments if log else ():
            self._files.discard(segment.path)
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
        paths = list(self._files.unsynced)
        if not paths:
            return
        self._files.unsynced.clear()
        try:
            await to_thread.run_sync(sync_paths, paths)
        except BaseException:
            self._files.unsynced.update(paths)
            raise

    async def close(self) -> None:
        """Sync, keep the indexes, close the files. May be used again afterwards."""
        for log in self._streams.values():
            log.save_indexes()
        await self.sync()
        self._streams.clear()
        self._files.close()

    def _may_have(self, stream: str, window: Window) -> bool:
        first, last, _, _ = self.summary(stream)
        return first is not None and last is not None and first < window.end_ms and last >= window.start_ms

    def _get(self, stream: str) -> StreamLog:
        log = self._streams.get(stream)
        if log is not None:
            self._streams.move_to_end(stream)
            return log
        log = self._streams[stream] = StreamLog(self._directory(stream), self._files, self._segment_bytes)
        if len(self._streams) > self._open_streams:
            _, oldest = self._streams.popitem(last=False)
            oldest.save_indexes()
        return log

    def _directory(self, stream: str) -> Path:
        return self._root / stream[:2] / stream
