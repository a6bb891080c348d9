"""
One file of a stream's events: frames one after the other, and in memory where to find what time.

The index has an entry a *block*: neighbouring frames of at most 64 KiB together, or one larger frame. It is kept in a
file beside the segment when the stream is put aside, so that only what was written since must be read again.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tidegate.store.logs.files import FileCache
from tidegate.store.logs.frame import Event, Frame, decode_events, parse_frames
from tidegate.store.store import StoreUnavailable

BLOCK_BYTES: Final = 65_536
_SCAN_BYTES: Final = 1024 * 1024


class Block(NamedTuple):
    """Neighbouring frames of a segment."""

    offset: int
    size: int
    events: int
    min_ms: int
    max_ms: int


class _Index(msgspec.Struct, array_like=True):
    """What is kept beside a segment; true for its first `size` bytes."""

    size: int
    next_number: int
    last_ingestion_ms: int
    sources: dict[str, int]
    blocks: list[Block]


class Segment:
    """The segment at `path`, which need not be there yet."""

    def __init__(self, path: Path, files: FileCache) -> None:
        self.path = path
        self.blocks: list[Block] = []
        self.size = 0
        self.next_number = 0
        self.last_ingestion_ms = 0
        self.sources: dict[str, int] = {}
        """How far each source has been stored, as far as this segment knows."""
        self._files = files
        self._is_saved = False

    @property
    def min_ms(self) -> int | None:
        """The least timestamp; None without events."""
        return min((block.min_ms for block in self.blocks), default=None)

    @property
    def max_ms(self) -> int | None:
        """The greatest timestamp; None without events."""
        return max((block.max_ms for block in self.blocks), default=None)

    def load(self) -> None:
        """Take in what the file holds, and cut off what a crash has left half-written. Raises OSError."""
        with self._files.use(self.path) as fd:
            end = os.fstat(fd).st_size
            self._load_index(end)
            while self.size < end:
                size = _SCAN_BYTES
                while not (found := self._scan(os.pread(fd, size, self.size))) and self.size + size < end:
                    size *= 4  # a frame that is larger than what was read, or a broken one
                if not found:
                    break
            if self.size < end:
                os.ftruncate(fd, self.size)

    def append(self, data: bytes, frame: Frame) -> None:
        """Write a frame. Raises StoreUnavailable, and then nothing of it is seen, now or after a crash."""
        is_new = self.size == 0
        try:
            with self._files.use(self.path, is_new=is_new) as fd:
                try:
                    _write_all(fd, data, self.size)
                except BaseException:
                    os.ftruncate(fd, self.size)
                    raise
        except OSError as error:
            why = f"cannot write log events to {self.path.parent}: {error.strerror}; make room, then try again"
            raise StoreUnavailable(why) from error
        # Of a new file the directories may be new as well.
        self._files.note_written((self.path, *self.path.parents[:3]) if is_new else (self.path,))
        self._note(frame)

    def read(self, block: Block) -> list[Event]:
        """The events of a block, in order of time; none if the segment has been removed meanwhile. Raises OSError."""
        try:
            with self._files.use(self.path) as fd:
                data = os.pread(fd, block.size, block.offset)
        except FileNotFoundError:
            return []
        return decode_events(data)

    def save_index(self) -> None:
        """Keep the index, so that the next `load` is quick. A disk without room for it is no error."""
        if self._is_saved:
            return
        index = _Index(self.size, self.next_number, self.last_ingestion_ms, self.sources, self.blocks)
        body = msgspec.msgpack.encode(index)
        draft = self.path.with_suffix(".new")
        try:
            draft.write_bytes(zlib.crc32(body).to_bytes(4, "little") + body)
            draft.replace(self._index_path)
            self._is_saved = True
        except OSError:
            draft.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the file and its index. Raises OSError."""
        self._files.discard(self.path)
        self._index_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    @property
    def _index_path(self) -> Path:
        return self.path.with_suffix(".index")

    def _load_index(self, end: int) -> None:
        try:
            data = self._index_path.read_bytes()
            if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
                return
            index = msgspec.msgpack.decode(data[4:], type=_Index)
        except (FileNotFoundError, msgspec.DecodeError):
            return
        if index.size > end:
            return
        self.size, self.blocks, self.sources = index.size, index.blocks, index.sources
        self.next_number, self.last_ingestion_ms = index.next_number, index.last_ingestion_ms
        self._is_saved = True

    def _scan(self, data: bytes) -> bool:
        before = self.size
        for frame in parse_frames(data):
            self._note(frame)
        return self.size > before

    def _note(self, frame: Frame) -> None:
        self._is_saved = False
        if frame.source:
            self.sources[frame.source] = frame.offset
        if frame.events:
            self._note_events(frame)
        self.next_number = frame.first_number + frame.events
        self.size += frame.size

    def _note_events(self, frame: Frame) -> None:
        self.last_ingestion_ms = max(self.last_ingestion_ms, frame.ingestion_ms)
        last = self.blocks[-1] if self.blocks else None
        if last is None or self.size + frame.size - last.offset > BLOCK_BYTES:
            self.blocks.append(Block(self.size, frame.size, frame.events, frame.min_ms, frame.max_ms))
            return
        low, high = min(last.min_ms, frame.min_ms), max(last.max_ms, frame.max_ms)
        self.blocks[-1] = Block(
            last.offset, self.size + frame.size - last.offset, last.events + frame.events, low, high
        )


def _write_all(fd: int, data: bytes, offset: int) -> None:
    written = os.pwrite(fd, data, offset)
    while written < len(data):  # the disk is full: the next write says so
        written += os.pwrite(fd, memoryview(data)[written:], offset + written)
