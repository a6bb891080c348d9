"""Output reaches the sink exactly once, whatever fails in between, and its disk space comes back."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from tidegate.model.spec import LogTarget
from tidegate.node.output.reader import OutputReader, Pace
from tidegate.node.output.sink import Burst, LogTargetMissing

pytestmark = pytest.mark.anyio
TARGET = LogTarget(group="g", stream="s")
FAST = Pace(linger=0.001, hold=0.05, retry=0.01, drain=5)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class ListSink:
    """Keeps what it is given; fails on demand, before or after it has stored."""

    messages: list[str] = field(default_factory=list)
    offset: int = 0
    fail_before: int = 0
    fail_after: int = 0
    is_missing: bool = False
    appends: int = 0

    async def open(self, target: LogTarget, source: str) -> int:
        if self.is_missing:
            raise LogTargetMissing("no such group")
        return self.offset

    async def append(self, target: LogTarget, source: str, bursts: Sequence[Burst], offset: int) -> None:
        await anyio.lowlevel.checkpoint()
        if self.fail_before:
            self.fail_before -= 1
            raise OSError("disk full")
        self.appends += 1
        self.messages += [line.decode() for burst in bursts for line in burst.lines]
        self.offset = offset
        if self.fail_after:
            self.fail_after -= 1
            raise OSError("answer lost")
        await anyio.lowlevel.checkpoint()


def write(path: Path, *texts: str, tag: str = "F") -> None:
    with path.open("a") as file:
        file.writelines(f"2026-03-01T12:00:00.123456789+00:00 stdout {tag} {text}\n" for text in texts)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - another task is awaited through a real file
            await anyio.sleep(0.002)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


async def test_lines_flow_while_the_container_runs(path: Path) -> None:
    """What is written while followed is in the sink soon, without the container's end."""
    sink = ListSink()
    reader = OutputReader(sink, FAST)
    async with reader.open(), reader.follow(path, "c", TARGET):
        write(path, "a")
        await until(lambda: sink.messages == ["a"])
        write(path, "b", "c")
        await until(lambda: sink.messages == ["a", "b", "c"])


async def test_leaving_drains(path: Path) -> None:
    """When following ends, all that was written is in the sink, an unended line too."""
    sink = ListSink()
    reader = OutputReader(sink, FAST)
    async with reader.open():
        async with reader.follow(path, "c", TARGET):
            write(path, *(str(number) for number in range(5000)))
            write(path, "prompt> ", tag="P")
        assert sink.messages == [*(str(number) for number in range(5000)), "prompt> "]


async def test_a_new_reader_goes_on(path: Path) -> None:
    """A reader that dies leaves the rest to the next one; no line comes twice."""
    sink = ListSink()
    write(path, "a", "b")
    reader = OutputReader(sink, FAST)
    with anyio.CancelScope() as crash:
        async with reader.open(), reader.follow(path, "c", TARGET):
            await until(lambda: len(sink.messages) == 2)
            crash.cancel()
            await anyio.sleep_forever()
    write(path, "c")
    reader = OutputReader(sink, FAST)
    async with reader.open(), reader.follow(path, "c", TARGET):
        pass
    assert sink.messages == ["a", "b", "c"]


@pytest.mark.parametrize("failure", ["fail_before", "fail_after"])
async def test_a_failing_sink_is_tried_again(path: Path, failure: str) -> None:
    """A sink that fails gets the lines again, unless it has stored them before it failed."""
    sink = ListSink()
    setattr(sink, failure, 2)
    reader = OutputReader(sink, FAST)
    async with reader.open(), reader.follow(path, "c", TARGET):
        write(path, "a")
        await until(lambda: sink.messages == ["a"])
        write(path, "b")
    assert sink.messages == ["a", "b"]


async def test_a_missing_group_is_told(path: Path) -> None:
    """A group that may not be created is told before anything runs."""
    reader = OutputReader(ListSink(is_missing=True), FAST)
    async with reader.open():
        with pytest.raises(LogTargetMissing):
            async with reader.follow(path, "c", TARGET):
                raise AssertionError("not entered")


async def test_errors_of_the_body_come_out_unchanged(path: Path) -> None:
    """What happens to the container while it is followed is not wrapped into a group of exceptions."""
    reader = OutputReader(ListSink(), FAST)
    async with reader.open():
        with pytest.raises(KeyError):
            async with reader.follow(path, "c", TARGET):
                raise KeyError("x")


async def test_an_unended_line_does_not_hold_others_for_ever(path: Path) -> None:
    """A prompt without line end is cut when whole lines of the other stream have waited long enough."""
    sink = ListSink()
    reader = OutputReader(sink, FAST)
    async with reader.open(), reader.follow(path, "c", TARGET):
        write(path, "prompt> ", tag="P")
        with path.open("a") as file:
            file.write("2026-03-01T12:00:00.123456789+00:00 stderr F tick\n")
        await until(lambda: sorted(sink.messages) == ["prompt> ", "tick"])


@pytest.mark.parametrize("target", [TARGET, None])
async def test_disk_space_comes_back(path: Path, target: LogTarget | None) -> None:
    """What was stored (or is not wanted) takes no room on the disk, while the writer goes on appending."""
    sink = ListSink()
    reader = OutputReader(sink, FAST)
    async with reader.open(), reader.follow(path, "c", target):
        for _ in range(20):
            write(path, *["x" * 1000] * 500)
            await anyio.sleep(0.001)
        size = path.stat().st_size
        await until(lambda: path.stat().st_blocks * 512 < 2_500_000)
        assert path.stat().st_size == size > 10_000_000
    assert len(sink.messages) == (10_000 if target else 0)


async def test_a_sink_that_forgot_goes_on_with_what_is_left(path: Path) -> None:
    """A sink restored from an older state asks for freed lines: the reader goes on with the first whole one."""
    sink = ListSink()
    reader = OutputReader(sink, FAST)
    async with reader.open(), reader.follow(path, "c", TARGET):
        for _ in range(4):
            write(path, *["x" * 1000] * 500)
            await anyio.sleep(0.01)
        await until(lambda: path.stat().st_blocks * 512 < 1_500_000)
    sink.offset, sink.messages = 0, []
    write(path, "last")
    reader = OutputReader(sink, FAST)
    async with reader.open(), reader.follow(path, "c", TARGET):
        pass
    assert sink.messages[-1] == "last"
    assert set(sink.messages[:-1]) <= {"x" * 1000}


async def test_idle_files_cost_nothing(tmp_path: Path) -> None:
    """Five hundred containers that write nothing wake nobody up."""
    reader = OutputReader(ListSink(), FAST)
    async with reader.open(), anyio.create_task_group() as group:
        for number in range(500):
            await _enter(group, reader, tmp_path / str(number))
        before = os.times()
        await anyio.sleep(0.3)
        after = os.times()
        group.cancel_scope.cancel()
    assert after.user + after.system - before.user - before.system <= 0.02


async def _enter(group: anyio.abc.TaskGroup, reader: OutputReader, path: Path) -> None:
    async def hold(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with reader.follow(path, path.name, TARGET):
            task_status.started()
            await anyio.sleep_forever()

    starter: Callable[..., Awaitable[None]] = hold
    await group.start(starter)
