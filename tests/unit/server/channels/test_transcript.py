"""What a session shows, in a log stream."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from tidegate.model.log import Burst, LogTargetMissing
from tidegate.model.session import SessionFailure
from tidegate.model.spec import LogTarget
from tidegate.server.channels import transcript as module
from tidegate.server.channels.transcript import Transcript

pytestmark = pytest.mark.anyio


class Sink:
    """Keeps lines, each time after so many seconds; fails so, where it is told to."""

    def __init__(self, failure: Exception | None = None, seconds: float = 0) -> None:
        self.failure = failure
        self.seconds = seconds
        self.target: LogTarget | None = None
        self.lines: list[bytes] = []
        self.offset = 0

    async def open(self, target: LogTarget, source: str) -> int:
        await anyio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        self.target = target
        return 0

    async def append(self, target: LogTarget, source: str, bursts: Sequence[Burst], offset: int) -> None:
        await anyio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        self.lines += [line for burst in bursts for line in burst.lines]
        self.offset = offset


async def test_lines():
    """As they were shown, each once, within a second; the last one without its end when the session is over."""
    sink = Sink()
    transcript = Transcript(sink, "/exec", "s-1", now_ns=lambda: 5)
    await transcript.open()
    async with anyio.create_task_group() as group:
        group.start_soon(transcript.run)
        for data in (b"one\r\ntw", b"o\n", b"$ "):
            transcript.add(data)
        await anyio.sleep(module.FLUSH_SECONDS * 1.1)
        assert sink.lines == [b"one", b"two"]
        group.cancel_scope.cancel()
    await transcript.close()
    await transcript.close()
    assert sink.lines == [b"one", b"two", b"$ "]
    assert sink.offset == len(b"one\r\ntwo\n$ ")
    assert sink.target == LogTarget(group="/exec", stream="s-1")


async def test_a_session_that_ends_while_lines_are_stored():
    """Loses none of them, and stores none twice."""
    sink = Sink(seconds=5)
    transcript = Transcript(sink, "/exec", "s-1")
    await transcript.open()
    async with anyio.create_task_group() as group:
        group.start_soon(transcript.run)
        transcript.add(b"one\n")
        await anyio.sleep(module.FLUSH_SECONDS + 1)
        transcript.add(b"two\n")
        group.cancel_scope.cancel()
    await transcript.close()
    assert sink.lines == [b"one", b"two"]


async def test_a_line_without_end():
    """Is cut: an event has a limit."""
    sink = Sink()
    transcript = Transcript(sink, "/exec", "s-1")
    await transcript.open()
    transcript.add(b"x" * (2 * module.LONGEST_LINE_BYTES + 1))
    await transcript.close()
    assert [len(line) for line in sink.lines] == [module.LONGEST_LINE_BYTES, module.LONGEST_LINE_BYTES, 1]


@pytest.mark.parametrize("failure", [LogTargetMissing("/exec"), OSError("disk")])
async def test_a_session_that_can_not_be_kept_is_none(failure: Exception):
    """It does not begin, and says why."""
    with pytest.raises(SessionFailure, match="the session can't be logged"):
        await Transcript(Sink(failure), "/exec", "s-1").open()


async def test_a_group_that_goes_away():
    """A session that has begun goes on."""
    sink = Sink()
    transcript = Transcript(sink, "/exec", "s-1")
    await transcript.open()
    sink.failure = LogTargetMissing("/exec")
    transcript.add(b"line\n")
    await transcript.close()
    assert sink.lines == []
