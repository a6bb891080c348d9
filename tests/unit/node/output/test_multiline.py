"""Lines are joined to events as AWS's driver does it, and reading can go on behind each event that was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.log import Burst
from tidegate.model.regex import Regex
from tidegate.node.output.lines import EVENT_LIMIT_BYTES, LineJoiner
from tidegate.node.output.multiline import EventJoiner

TIME = "2026-03-01T12:00:00.123456789+00:00"


def log(*lines: tuple[str, str, str]) -> bytes:
    return b"".join(f"{TIME} {output} {tag} {text}\n".encode() for output, tag, text in lines)


def joined(pattern: str, *texts: str) -> list[bytes]:
    """The events of whole lines, the last one included."""
    joiner, lines = EventJoiner(Regex(pattern), 0), LineJoiner(0)
    lines.feed(log(*(("stdout", "F", text) for text in texts)))
    joiner.push(*lines.take())
    joiner.end()
    return flat(joiner.take()[0])


def flat(bursts: list[Burst]) -> list[bytes]:
    return [event for burst in bursts for event in burst.lines]


def test_lines_that_begin_nothing_go_on_with_an_event():
    """A stack trace is one event; line ends are kept, the last one too."""
    assert joined(r"^\d{4}", "2026 a", "2026 boom", "  at x", "", "  at y", "2026 b") == [
        b"2026 a\n",
        b"2026 boom\n  at x\n\n  at y\n",
        b"2026 b\n",
    ]


def test_the_first_lines_need_not_match():
    """What stands before the first line that matches is an event of its own."""
    assert joined("^X", "a", "b", "X1", "c") == [b"a\nb\n", b"X1\nc\n"]


def test_an_event_is_held_until_the_next_begins():
    """The last event may go on; it is given when it is told to end, and reading on gives it again until then."""
    joiner, lines = EventJoiner(Regex("^X"), 0), LineJoiner(0)
    first = log(("stdout", "F", "X1"), ("stdout", "F", "a"))
    lines.feed(first)
    joiner.push(*lines.take())
    assert joiner.take() == ([], 0)
    assert joiner.is_held
    lines.feed(log(("stdout", "F", "X2")))
    joiner.push(*lines.take())
    bursts, offset = joiner.take()
    assert (flat(bursts), offset) == ([b"X1\na\n"], len(first))
    joiner.end()
    bursts, offset = joiner.take()
    assert (flat(bursts), offset) == ([b"X2\n"], lines.offset)
    assert not joiner.is_held


def test_an_event_has_the_time_and_output_of_its_first_line():
    """Both outputs go into one row of events, as on AWS."""
    joiner, lines = EventJoiner(Regex("^X"), 0), LineJoiner(0)
    lines.feed(log(("stderr", "F", "X1")) + f"2026-03-01T12:00:09.0+00:00 stdout F more\n{TIME} stdout F X2\n".encode())
    joiner.push(*lines.take())
    assert joiner.take()[0] == [Burst("stderr", 1772366400123456789, [b"X1\nmore\n"])]


def test_events_stay_below_the_limit():
    """One that would be too large is cut between two lines; a line of the greatest size has no line end then."""
    big = "y" * (EVENT_LIMIT_BYTES // 2)
    events = joined("^X", "X", big, big, "z", "X" * EVENT_LIMIT_BYTES)
    assert [len(event) for event in events] == [len(big) + 3, len(big) + 3, EVENT_LIMIT_BYTES]


@pytest.mark.timeout(20)
def test_a_hostile_pattern_on_a_hostile_line_takes_a_moment():
    """What begins an event is looked for at the beginning of a line, in linear time."""
    assert len(joined("(x+x+)+y", *["x" * 200_000] * 20)) >= 1


LINES = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.sampled_from("FFFP"), st.sampled_from(["X", "a", "", "XX"]))
)


@given(lines=LINES, data=st.data())
def test_reading_on_from_an_offset_neither_repeats_nor_misses(lines: list[tuple[str, str, str]], data: st.DataObject):
    """However the file is cut into reads, and wherever another reader takes over, each line is in one event, once."""
    content = log(*lines)
    stop = data.draw(st.integers(0, len(content)))
    events, offset = _read(content[:stop], 0, data)
    rest, _ = _read(content[offset:], offset, data, is_last=True)
    whole, _ = _read(content, 0, data, is_last=True)
    assert b"".join(events + rest) == b"".join(whole)
    assert [e for e in events + rest if e.startswith(b"X")] == [e for e in whole if e.startswith(b"X")]


def _read(content: bytes, start: int, data: st.DataObject, *, is_last: bool = False) -> tuple[list[bytes], int]:
    lines, joiner = LineJoiner(start), EventJoiner(Regex("^X"), start)
    events: list[bytes] = []
    window = 0
    while lines.offset - start < len(content):
        window += data.draw(st.integers(1, 200))
        at = lines.offset - start
        window = 0 if lines.feed(content[at : at + window]) else window
        if at + window >= len(content):
            break
        joiner.push(*lines.take())
        bursts, offset = joiner.take()
        events += flat(bursts)
    if is_last:
        lines.end_parts()
    joiner.push(*lines.take())
    if is_last:
        joiner.end()
    bursts, offset = joiner.take()
    return events + flat(bursts), offset
