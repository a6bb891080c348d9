"""A container's output, whatever happens on its way: readers that die, and a sink that fails at any time."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.model.spec import LogTarget
from tidegate.node.output import backlog
from tidegate.node.output.pace import Pace
from tidegate.node.output.reader import OutputReader
from tidegate.node.output.sink import Burst

FAST = Pace(linger=0.0005, hold=0.002, event=0.002, retry=0.001, drain=5)
LINE = 1000
ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 60)),
    st.tuples(st.just("part"), st.integers(1, 5)),
    st.tuples(st.just("fail"), st.integers(1, 3)),
    st.tuples(st.just("lie"), st.integers(1, 2)),
    st.tuples(st.just("crash"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 5)),
)


@dataclass
class Container:
    """Writes numbered lines, unless it is held; its supervisor cuts lines into parts now and then."""

    path: Path
    written: int = 0
    is_held: bool = False
    limit: int | None = None

    def hold_output(self) -> None:
        self.is_held = True

    def resume_output(self) -> None:
        self.is_held = False

    def limit_output(self, size: int) -> None:
        self.limit = size

    def output_limit(self) -> int | None:
        return self.limit

    def write(self, count: int, *, parts: int = 1) -> None:
        if self.is_held:
            return
        with self.path.open("ab") as file:
            for _ in range(count):
                text = f"{self.written} {'x' * LINE}"
                cuts = [len(text) * part // parts for part in range(parts + 1)]
                for part in range(parts):
                    tag = "F" if part == parts - 1 else "P"
                    piece = text[cuts[part] : cuts[part + 1]]
                    file.write(f"2026-03-01T12:00:00.{self.written:09d}+00:00 stdout {tag} {piece}\n".encode())
                self.written += 1


@dataclass
class Sink:
    """Fails before it has stored, or after it (it lies)."""

    numbers: list[int] = field(default_factory=list)
    offset: int = 0
    failures: int = 0
    lies: int = 0

    async def open(self, target: LogTarget, source: str) -> int:
        return self.offset

    async def append(self, target: LogTarget, source: str, bursts: Sequence[Burst], offset: int) -> None:
        await anyio.lowlevel.checkpoint()
        if self.failures:
            self.failures -= 1
            raise OSError("not now")
        self.numbers += [int(line.split()[0]) for burst in bursts for line in burst.lines]
        self.offset = offset
        if self.lies:
            self.lies -= 1
            raise OSError("the answer was lost")


async def play(path: Path, target: LogTarget, actions: list[tuple[str, int]]) -> tuple[Container, Sink, int]:
    container, sink, dropped = Container(path), Sink(), 0
    rest = list(actions)
    while True:
        reader = OutputReader(sink, FAST)
        with anyio.CancelScope() as life:
            async with reader.open(), reader.follow(path, "c", target, container) as tally:
                try:
                    await _act(rest, container, sink, life)
                finally:
                    dropped += tally.dropped_lines
                    counted = tally.dropped_lines
            dropped += tally.dropped_lines - counted
            return container, sink, dropped


async def _act(rest: list[tuple[str, int]], container: Container, sink: Sink, life: anyio.CancelScope) -> None:
    while rest:
        action, amount = rest.pop(0)
        if action == "write":
            container.write(amount)
        elif action == "part":
            container.write(amount, parts=amount + 1)
        elif action == "fail":
            sink.failures += amount
        elif action == "lie":
            sink.lies += amount
        elif action == "wait":
            await anyio.sleep(amount / 1000)
        else:
            life.cancel()
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()


@settings(max_examples=40, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=20), is_blocking=st.booleans())
def test_no_line_is_lost_or_repeated(actions: list[tuple[str, int]], is_blocking: bool) -> None:
    """While less waits than may wait: every line once and in order, whoever fails or dies when."""
    target = LogTarget(group="g", stream="s", is_blocking=is_blocking)
    with tempfile.TemporaryDirectory() as directory:
        container, sink, dropped = anyio.run(play, Path(directory) / "log", target, actions)
    assert sink.numbers == list(range(container.written))
    assert dropped == 0


@settings(max_examples=40, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25))
def test_a_small_buffer_drops_and_counts(actions: list[tuple[str, int]]) -> None:
    """In non-blocking mode what is stored is in order, without repetition; what is not was counted."""
    target = LogTarget(group="g", stream="s", max_buffer_bytes=20 * LINE)
    with tempfile.TemporaryDirectory() as directory:
        container, sink, dropped = anyio.run(play, Path(directory) / "log", target, actions)
    assert sink.numbers == sorted(set(sink.numbers))
    missing = container.written - len(sink.numbers)
    assert missing <= dropped
    if not {"crash", "lie"} & {action for action, _ in actions}:
        assert missing == dropped


def test_a_small_spool_holds_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocking mode a container that is let go on whenever there is room loses nothing, whatever the sink does."""
    monkeypatch.setattr(backlog, "HOLD_BYTES", 30 * LINE)
    actions: list[tuple[str, int]] = []
    for number in range(60):
        actions += [("write", 10), ("fail", number % 3), ("wait", number % 2), ("part", 3)]
    target = LogTarget(group="g", stream="s", is_blocking=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        container, sink, dropped = anyio.run(play, path, target, actions)
        assert sink.numbers == list(range(container.written))
        assert dropped == 0
        assert container.written < 60 * 13, "it was held now and then"
