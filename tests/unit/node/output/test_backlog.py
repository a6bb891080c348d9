"""What happens to output that waits: rules, and a reader that keeps to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.spec import LogTarget
from tidegate.node.output.backlog import GREATEST_BYTES, HOLD_BYTES, MIB, Backlog
from tidegate.node.output.pace import Pace
from tidegate.node.output.reader import OutputReader
from tidegate.node.output.sink import Burst, LogTargetMissing

FAST = Pace(linger=0.001, hold=0.05, event=0.05, retry=0.01, drain=5)


@given(waiting=st.integers(0, 10**12), buffer=st.integers(0, 10**10), is_blocking=st.booleans(), is_held=st.booleans())
def test_the_two_modes(waiting: int, buffer: int, is_blocking: bool, is_held: bool):
    """In blocking mode nothing is ever dropped; in the other nobody is ever held up."""
    backlog = Backlog(is_blocking, buffer)
    verdict = backlog.judge(waiting, is_held=is_held)
    assert verdict in (("go", "hold") if is_blocking else ("go", "drop"))
    if not is_blocking:
        assert (verdict == "drop") is (waiting > backlog.buffer_bytes)
        assert backlog.keep(waiting) <= backlog.buffer_bytes
    assert backlog.file_bytes <= GREATEST_BYTES


def test_a_held_container_goes_on_when_there_is_room_again():
    """Not at each line: half of what may wait must be gone."""
    backlog = Backlog(is_blocking=True)
    assert backlog.judge(HOLD_BYTES + 1, is_held=False) == "hold"
    assert backlog.judge(HOLD_BYTES - 1, is_held=True) == "hold"
    assert backlog.judge(HOLD_BYTES // 2, is_held=True) == "go"
    assert backlog.judge(HOLD_BYTES, is_held=False) == "go"


@dataclass
class Writer:
    """A supervisor that writes lines to the file, while it is neither held nor at its limit."""

    path: Path
    is_held: bool = False
    held: int = 0
    limit: int | None = None

    def hold_output(self) -> None:
        self.held += not self.is_held
        self.is_held = True

    def resume_output(self) -> None:
        self.is_held = False

    def limit_output(self, size: int) -> None:
        self.limit = size

    def output_limit(self) -> int | None:
        return self.limit

    def write(self, *texts: str) -> None:
        """Like conmon: what does not fit is cut, and the rest is gone."""
        with self.path.open("ab") as file:
            data = b"".join(f"2026-03-01T12:00:00.1+00:00 stdout F {text}\n".encode() for text in texts)
            room = len(data) if self.limit is None else max(0, self.limit - os.fstat(file.fileno()).st_size)
            file.write(data[:room])


@dataclass
class SlowSink:
    """Takes lines when it is open."""

    lines: list[bytes] = field(default_factory=list)
    offset: int = 0
    is_open: anyio.Event = field(default_factory=anyio.Event)
    failures: int = 0

    async def open(self, target: LogTarget, source: str) -> int:
        return self.offset

    async def append(self, target: LogTarget, source: str, bursts: Sequence[Burst], offset: int) -> None:
        if not self.is_open.is_set():
            self.failures += 1
            raise OSError("not now")
        self.lines += [line for burst in bursts for line in burst.lines]
        self.offset = offset


async def until(condition: object) -> None:
    with anyio.fail_after(10):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - a real file is awaited
            await anyio.sleep(0.002)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
class TestTail:
    """A reader whose sink does not keep up."""

    async def test_a_blocking_container_is_held_and_loses_nothing(self, tmp_path: Path):
        """Held when too much waits, for as long as the sink takes nothing; then all of it arrives."""
        sink, writer = SlowSink(), Writer(tmp_path / "log")
        target = LogTarget(group="g", stream="s", is_blocking=True)
        reader = OutputReader(sink, FAST)
        written = 0
        async with reader.open(), reader.follow(writer.path, "c", target, writer) as tally:
            while not writer.is_held:
                writer.write(*[f"{number} {'x' * 4000}" for number in range(written, written + 1000)])
                written += 1000
                await anyio.lowlevel.checkpoint()
            assert writer.path.stat().st_size < 2 * HOLD_BYTES
            await until(lambda: sink.failures > 2)
            assert writer.is_held
            sink.is_open.set()
            await until(lambda: not writer.is_held)
        assert [int(line.split()[0]) for line in sink.lines] == list(range(written))
        assert tally.dropped_lines == 0

    async def test_a_non_blocking_container_loses_the_oldest_lines(self, tmp_path: Path):
        """Never held; what is dropped is counted to the line, and the newest lines are kept."""
        sink, writer = SlowSink(), Writer(tmp_path / "log")
        target = LogTarget(group="g", stream="s", max_buffer_bytes=200_000)
        reader = OutputReader(sink, FAST)
        async with reader.open(), reader.follow(writer.path, "c", target, writer) as tally:
            for start in range(0, 20_000, 100):
                writer.write(*[f"{number} {'x' * 60}" for number in range(start, start + 100)])
                await anyio.sleep(0.001)
            await until(lambda: tally.dropped_lines > 0)
            sink.is_open.set()
        numbers = [int(line.split()[0]) for line in sink.lines]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == 19_999
        assert tally.dropped_lines == 20_000 - len(numbers)
        assert writer.held == 0
        assert not tally.is_cut

    async def test_a_file_that_met_its_limit_goes_on(self, tmp_path: Path):
        """While nobody read, lines were lost: that is told, and the line that was cut does not spoil the next one."""
        sink, writer = SlowSink(), Writer(tmp_path / "log", limit=1000)
        sink.is_open.set()
        writer.write(*["before" * 3] * 50)
        reader = OutputReader(sink, FAST)
        async with (
            reader.open(),
            reader.follow(writer.path, "c", LogTarget(group="g", stream="s"), writer) as tally,
        ):
            await until(lambda: writer.limit is not None and writer.limit > 1000)
            writer.write("after")
        assert tally.is_cut
        assert sink.lines[-1] == b"after"
        assert set(sink.lines[:-2]) == {b"before" * 3}

    async def test_a_deleted_group_frees_the_disk(self, tmp_path: Path):
        """When the log group is gone, output is given up and its room on the disk given back."""
        sink, writer = SlowSink(), Writer(tmp_path / "log")
        reader = OutputReader(sink, FAST)

        async def gone(*_: object) -> None:
            raise LogTargetMissing("deleted")

        sink.append = gone  # type: ignore[method-assign]
        async with reader.open(), reader.follow(writer.path, "c", LogTarget(group="g", stream="s"), writer):
            for _ in range(10):
                writer.write(*["x" * 1000] * 1000)
                await anyio.sleep(0.01)
            await until(lambda: writer.path.stat().st_blocks * 512 < 3 * MIB)
        assert writer.path.stat().st_size > 9 * MIB
