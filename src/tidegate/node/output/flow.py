"""One container's output file on its way to the sink."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import anyio
import structlog
from anyio import to_thread

from tidegate.kernel import failpoint
from tidegate.kernel.holes import punch_hole
from tidegate.kernel.inotify import FileWatcher
from tidegate.model.log import Burst
from tidegate.model.regex import Regex
from tidegate.node.output.backlog import MIB, Backlog
from tidegate.node.output.channel import Channel
from tidegate.node.output.discard import Discard
from tidegate.node.output.lines import LineJoiner, pass_by
from tidegate.node.output.multiline import EventJoiner
from tidegate.node.output.pace import Pace, Tally
from tidegate.node.output.sink import LogTargetMissing, Outlet
from tidegate.node.output.tail import KEPT_BYTES

_BUSY_BYTES: Final = 64 * 1024
_FREE_BYTES: Final = MIB
"""Blocks are freed when this much can be."""
_SETTLE_SECONDS: Final = 0.02
"""A supervisor that met its limit in the middle of a line has given that line up by then."""
_LONGEST_RETRY_SECONDS: Final = 30.0
_MIND_SECONDS: Final = 0.1
"""Between two looks at what waits, while the sink takes nothing."""
_SAY_SECONDS: Final = 10.0
"""Between two lines in our own log about lines that are dropped."""
_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class _Step(NamedTuple):
    bursts: list[Burst]
    offset: int
    """What comes before it has been given out."""
    read_bytes: int = 0
    is_last: bool = True
    """The end of the file was seen."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one container's output."""

    backlog: Backlog
    begins_event: str = ""
    """An expression for lines that begin an event; empty: each line is one."""
    drain_seconds: float | None = None
    """For the rest of a container that has ended; None: it takes as long as it takes."""


class Flow:
    """Follows the file. The channel alone is asked how far it got."""

    def __init__(
        self,
        path: Path,
        source: str,
        channel: Channel,
        rules: Rules,
        watcher: FileWatcher,
        pace: Pace,
        outlet: Outlet | None,
        threads: anyio.CapacityLimiter,
    ) -> None:
        self.tally = Tally()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._path, self._source, self._channel = path, source, channel
        self._watcher, self._pace = watcher, pace
        self._outlet, self._threads = outlet, threads
        self._backlog, self._drain_seconds = rules.backlog, rules.drain_seconds
        self._begins = Regex(rules.begins_event) if rules.begins_event else None
        self._is_held = self._is_over = self._is_lost = False
        if outlet is not None:
            outlet.resume_output()  # one of us that was killed may have held it
        self._limit = outlet.output_limit() if outlet is not None else None
        self._gaps: deque[int] = deque()
        """Where the file met its limit: what follows there does not go on with what is before."""
        self._found_bytes = os.fstat(self._fd).st_size
        """What was there when we came is not dropped for being late: we were."""
        self._dropped_to = self._noted = self._said_dropped = 0
        self._say_at = self._say_cut_at = 0.0
        self._storing = anyio.Lock()
        self._begin(0)

    def close(self) -> None:
        """Close the file; the container is not held up any more."""
        self._resume()
        self._say_dropped(is_last=True)
        os.close(self._fd)

    async def begin(self) -> None:
        """Find where to go on; a sink that can't tell now is asked again by `run`. Raises LogTargetMissing."""
        try:
            await self.restart()
        except LogTargetMissing:
            raise
        except Exception as error:  # whatever the sink has
            _log.warning("output not stored yet", source=self._source, error=str(error))
            self._is_lost = True

    async def run(self) -> None:
        """Until cancelled."""
        retry, is_lost = self._pace.retry, self._is_lost
        while not self._is_over:
            try:
                if is_lost:
                    await self._bear(retry)
                    retry = min(retry * 2, _LONGEST_RETRY_SECONDS)
                    await self.restart()
                    is_lost = False
                await self._wait_for_more()
                read = await self._read_on()
                retry = self._pace.retry
                await anyio.sleep(self._pace.linger if read < _BUSY_BYTES else self._pace.linger / 10)
            except LogTargetMissing:
                self._give_up()
            except Exception as error:  # the top of a loop: whatever the sink has, it is tried again
                _log.warning("output not stored", source=self._source, error=str(error), retry_seconds=retry)
                is_lost = True
                self._begin(max(self._stored, self._dropped_to))
        with closing(Discard(self._path, self._watcher, self._pace, self._outlet)) as rest:
            await rest.run()

    async def settle(self) -> None:
        """Let what is on its way arrive, and begin nothing more: what is cut off there would be sent twice."""
        with anyio.move_on_after(self._drain_seconds):
            await self._storing.acquire()
            self._storing = anyio.Lock()  # for `drain`; whoever waits for the other one is cancelled now

    async def drain(self) -> None:
        """Read to the end, which has come: nobody writes any more."""
        with anyio.move_on_after(self._drain_seconds):
            while not self._is_over:
                try:
                    await self.restart()
                    await self._read_on()
                    await self._store(await self._in_thread(self._step_to_end))
                    await self._channel.finish()
                    return
                except LogTargetMissing:
                    return
                except Exception as error:  # the top of a loop
                    _log.warning("output not stored", source=self._source, error=str(error))
                    await anyio.sleep(self._pace.retry)
        if not self._is_over:
            _log.error("output left behind", source=self._source, file=str(self._path), offset=self._stored)

    async def restart(self) -> None:
        """Go on from where the sink says: it alone knows if a batch that failed or was cancelled has been stored."""
        await failpoint.reach("log.follow")
        offset = await self._channel.open()
        self._begin(self._skip_hole(max(offset, self._dropped_to)))
        await self._set_limit()

    def _begin(self, offset: int) -> None:
        self._stored = self._seen = offset
        self._freed = 0
        self._lines = LineJoiner(offset)
        self._events = EventJoiner(self._begins, offset) if self._begins is not None else None

    async def _wait_for_more(self) -> None:
        watch = self._watcher.arm(self._path)
        try:
            if os.fstat(self._fd).st_size > self._seen:
                return
            patience = self._patience()
            with anyio.move_on_after(patience) as limit:
                await watch.wait()
            if not limit.cancelled_caught:
                return
            if self._lines.is_held:
                self._lines.end_parts()
            elif self._events is not None:
                self._events.end()
        finally:
            self._watcher.disarm(watch)

    def _patience(self) -> float | None:
        if self._lines.is_held:
            return self._pace.hold
        return self._pace.event if self._events is not None and self._events.is_held else None

    async def _read_on(self) -> int:
        """Store all that the file holds by now; how many bytes that was."""
        total = 0
        while True:
            await self._mind_backlog()
            step = await self._in_thread(self._step)
            await self._store(step)
            total += step.read_bytes
            if step.is_last:
                return total

    def _step(self) -> _Step:
        """In a thread: the next piece of the file, taken apart."""
        lines = self._lines
        start = lines.offset
        data = os.pread(self._fd, self._channel.chunk_bytes, start)
        is_cut = bool(self._gaps) and self._gaps[0] <= start + len(data)
        if is_cut:
            data = data[: self._gaps.popleft() - start]
        taken = lines.feed(data, is_cut=is_cut)
        if is_cut:
            lines.end_parts()
        elif not taken and len(data) == self._channel.chunk_bytes:
            lines.feed(data, is_cut=True)  # no line of a supervisor's is so long
        self._seen = start + len(data)
        return self._collect(len(data), is_last=len(data) < self._channel.chunk_bytes and not is_cut)

    def _step_to_end(self) -> _Step:
        self._lines.feed(os.pread(self._fd, self._channel.chunk_bytes, self._lines.offset), is_cut=True)
        self._lines.end_parts()
        step = self._collect(0)
        if self._events is None:
            return step
        self._events.end()
        rest, offset = self._events.take()
        return _Step(step.bursts + rest, offset)

    def _collect(self, read: int, *, is_last: bool = True) -> _Step:
        placed, clean = self._lines.take()
        if self._events is None:
            return _Step([burst for burst, _ in placed], clean, read, is_last)
        self._events.push(placed, clean)
        return _Step(*self._events.take(), read, is_last)

    async def _store(self, step: _Step) -> None:
        if step.offset <= self._stored or (not step.bursts and step.offset - self._stored < _FREE_BYTES):
            return  # nothing, or nothing that needs to be remembered
        async with self._storing:
            await failpoint.reach("log.append")
            await self._channel.append(step.bursts, step.offset)
        await self._advance(step.offset)

    async def _advance(self, offset: int) -> None:
        """Nobody needs what is before the offset."""
        self._stored = offset
        end = offset - KEPT_BYTES
        if end - self._freed >= _FREE_BYTES:
            await self._in_thread(lambda: punch_hole(self._fd, self._freed, end))
            self._freed = end
            await self._set_limit()

    async def _bear(self, seconds: float) -> None:
        """Wait, while the container goes on writing."""
        with anyio.move_on_after(seconds):
            while True:
                await self._mind_backlog()
                await anyio.sleep(_MIND_SECONDS)

    async def _mind_backlog(self) -> None:
        await self._note_gap()
        size = os.fstat(self._fd).st_size
        verdict = self._backlog.judge(size - self._lines.offset, is_held=self._is_held)
        if verdict == "go":
            self._resume()
        elif verdict == "hold" and self._outlet is not None:
            self._is_held = True
            self._outlet.hold_output()
        elif verdict == "drop" and self._lines.offset >= self._found_bytes:
            await self._drop(size)

    async def _note_gap(self) -> None:
        """The file may have met its limit: what is written then is lost, and the line before it cut."""
        limit = self._limit
        if limit is None or limit <= self._noted or os.fstat(self._fd).st_size < limit:
            return
        await anyio.sleep(_SETTLE_SECONDS)
        self._noted = limit
        if self._lines.offset <= limit:
            self._gaps.append(limit)
        if not self.tally.is_cut or anyio.current_time() >= self._say_cut_at:
            _log.warning("output lost: its file met its limit before it was read", source=self._source, offset=limit)
            self._say_cut_at = anyio.current_time() + _SAY_SECONDS
        self.tally.is_cut = True

    async def _drop(self, size: int) -> None:
        """Pass by the oldest lines that wait. They are gone at once, whatever the sink remembers."""
        start, goal = self._lines.offset, size - self._backlog.keep(size - self._lines.offset)
        found = await self._in_thread(lambda: pass_by(self._fd, start, goal))
        lines = found.lines + (self._events.open_lines if self._events is not None else 0)
        self._lines = LineJoiner(found.offset)
        self._events = EventJoiner(self._begins, found.offset) if self._begins is not None else None
        while self._gaps and self._gaps[0] <= found.offset:
            self._gaps.popleft()
        self._dropped_to = found.offset
        self.tally.dropped_lines += lines
        self._say_dropped()
        await self._advance(found.offset)

    def _say_dropped(self, *, is_last: bool = False) -> None:
        """At the first time, now and then, and at the end."""
        lines = self.tally.dropped_lines - self._said_dropped
        if lines and (is_last or anyio.current_time() >= self._say_at):
            _log.warning("output dropped: too much waits", source=self._source, lines=lines)
            self._said_dropped = self.tally.dropped_lines
            self._say_at = anyio.current_time() + _SAY_SECONDS

    async def _set_limit(self) -> None:
        limit = max(self._stored, self._dropped_to) + self._backlog.file_bytes
        if self._outlet is not None and (self._limit is None or limit >= self._limit + _FREE_BYTES):
            await self._note_gap()
            self._outlet.limit_output(limit)
            self._limit = self._outlet.output_limit()

    def _resume(self) -> None:
        if self._is_held and self._outlet is not None:
            self._outlet.resume_output()
        self._is_held = False

    def _skip_hole(self, offset: int) -> int:
        """A sink that remembers less than it once did asks for what was freed: go on with what is left."""
        try:
            data_at = os.lseek(self._fd, offset, os.SEEK_DATA)
        except OSError:  # ENXIO: no data from here on
            return offset
        if data_at == offset:
            return offset
        start = os.pread(self._fd, self._channel.chunk_bytes, data_at).find(b"\n") + 1
        _log.error("output lost", source=self._source, from_offset=offset, to_offset=data_at + start)
        return data_at + start

    def _give_up(self) -> None:
        """The group was deleted while we wrote to it: AWS drops what comes then, and so do we."""
        _log.warning("output dropped: no such log group", source=self._source)
        self._is_over = True

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await to_thread.run_sync(work, limiter=self._threads)
