"""
Carries what containers write from their log files to the sink: each line exactly once, in order.

The sink remembers how far it got with the lines that it stored, so there is nothing to remember here. What the sink
has is freed on the disk. If the sink can't take more (full disk, broken store), the file grows and the reader tries
again: a container is never held up by its output, and nothing is lost while there is room on the disk.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog

from tidegate.kernel.background import running
from tidegate.kernel.holes import punch_hole
from tidegate.kernel.inotify import FileWatcher
from tidegate.model.spec import LogTarget
from tidegate.node.output.lines import LineJoiner
from tidegate.node.output.sink import LogEvent, LogSink, LogTargetMissing
from tidegate.node.output.tail import KEPT_BYTES

CHUNK_BYTES = 256 * 1024
_FREE_BYTES = 1024 * 1024
"""Blocks are freed when this much can be."""
_LONGEST_RETRY_SECONDS = 30.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may wait, in seconds."""

    linger: float = 0.1
    """After a batch, so that the next one is worth its cost."""
    hold: float = 1.0
    """Whole lines behind one that does not end; then that one is cut."""
    retry: float = 1.0
    """Before the sink is tried again; doubled up to half a minute."""
    drain: float = 30.0
    """For the sink to take the rest of a container that has ended."""


class OutputReader:
    """Follows any number of files; use within `open`."""

    def __init__(self, sink: LogSink, pace: Pace | None = None) -> None:
        self._sink = sink
        self._pace = pace or Pace()
        self._watcher = FileWatcher()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Files can be followed inside. Raises OSError."""
        async with self._watcher.open():
            yield

    @asynccontextmanager
    async def follow(self, path: Path, source: str, target: LogTarget | None) -> AsyncIterator[None]:
        """
        Entered: lines flow. Left: all that was written before has reached the sink, an unended last line too.

        Left by an exception (our own end is one), it just stops: the next `follow` goes on from there. Without a target
        the output is dropped and its disk space freed. Raises LogTargetMissing.
        """
        tail = _Tail(path, source, target, self._sink, self._watcher, self._pace)
        try:
            await tail.restart()
            async with running(tail.run):
                yield
            await tail.drain()
        finally:
            tail.close()


class _Discard:
    """The sink of output that nobody wants."""

    def __init__(self, file: int) -> None:
        self._file = file

    async def open(self, target: LogTarget, source: str) -> int:
        return os.fstat(self._file).st_size

    async def append(self, target: LogTarget, source: str, events: Sequence[LogEvent], offset: int) -> None:
        return


class _Tail:
    """One file on its way to the sink."""

    def __init__(
        self, path: Path, source: str, target: LogTarget | None, sink: LogSink, watcher: FileWatcher, pace: Pace
    ) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._path, self._source = path, source
        self._target = target or LogTarget(group="", stream="")
        self._sink = sink if target is not None else _Discard(self._fd)
        self._watcher, self._pace = watcher, pace
        self._lines = LineJoiner(0)
        self._stored = self._freed = 0

    def close(self) -> None:
        os.close(self._fd)

    async def run(self) -> None:
        """Until cancelled."""
        retry, is_lost = self._pace.retry, False
        while True:
            try:
                if is_lost:
                    await self.restart()
                    is_lost = False
                await self._wait_for_more()
                await self._read_on()
                retry = self._pace.retry
                await anyio.sleep(self._pace.linger)
            except LogTargetMissing:
                self._give_up()
            except Exception as error:  # the top of a loop: whatever the sink has, it is tried again
                _log.warning("output not stored", source=self._source, error=str(error), retry_seconds=retry)
                is_lost = True
                await anyio.sleep(retry)
                retry = min(retry * 2, _LONGEST_RETRY_SECONDS)

    async def drain(self) -> None:
        """Read to the end, which has come: nobody writes any more."""
        with anyio.move_on_after(self._pace.drain):
            while True:
                try:
                    await self.restart()
                    await self._read_on()
                    self._lines.end_parts()
                    await self._store()
                    return
                except LogTargetMissing:
                    return
                except Exception as error:  # the top of a loop
                    _log.warning("output not stored", source=self._source, error=str(error))
                    await anyio.sleep(self._pace.retry)
        _log.error("output left behind", source=self._source, file=str(self._path), offset=self._stored)

    async def _wait_for_more(self) -> None:
        watch = self._watcher.arm(self._path)
        try:
            if os.fstat(self._fd).st_size > self._lines.offset:
                return
            if not self._lines.is_held:
                await watch.wait()
                return
            with anyio.move_on_after(self._pace.hold) as limit:
                await watch.wait()
            if limit.cancelled_caught:
                self._lines.end_parts()
        finally:
            self._watcher.disarm(watch)

    async def _read_on(self) -> None:
        """Store all that the file holds by now."""
        while data := os.pread(self._fd, CHUNK_BYTES, self._lines.offset):
            if not self._lines.feed(data):
                break  # a line that is just being written
            await self._store()
        await self._store()

    async def _store(self) -> None:
        events, offset = self._lines.take()
        if not events and offset - self._stored < _FREE_BYTES:
            return  # nothing but empty lines, which need not be remembered
        await self._sink.append(self._target, self._source, events, offset)
        self._stored = offset
        if offset - self._freed >= _FREE_BYTES + KEPT_BYTES:
            punch_hole(self._fd, self._freed, offset - KEPT_BYTES)
            self._freed = offset - KEPT_BYTES

    async def restart(self) -> None:
        """Go on from where the sink says: it alone knows if a batch that failed or was cancelled has been stored."""
        offset = await self._sink.open(self._target, self._source)
        self._stored, self._freed = offset, 0
        self._lines = LineJoiner(self._skip_hole(offset))

    def _skip_hole(self, offset: int) -> int:
        """A sink that remembers less than it once did asks for what was freed: go on with what is left."""
        try:
            data_at = os.lseek(self._fd, offset, os.SEEK_DATA)
        except OSError:  # ENXIO: no data from here on
            return offset
        if data_at == offset:
            return offset
        start = os.pread(self._fd, CHUNK_BYTES, data_at).find(b"\n") + 1
        _log.error("output lost", source=self._source, from_offset=offset, to_offset=data_at + start)
        return data_at + start

    def _give_up(self) -> None:
        """The group was deleted while we wrote to it: AWS drops what comes then, and so do we."""
        _log.warning("output dropped: no such log group", source=self._source, group=self._target.group)
        self._sink = _Discard(self._fd)
