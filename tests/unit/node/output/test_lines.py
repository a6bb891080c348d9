"""The log format is read, cut lines are joined, and offsets are such that nothing is read twice or lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.node.output.lines import EVENT_LIMIT_BYTES, LineJoiner
from tidegate.node.output.sink import LogEvent

TIME = "2026-03-01T12:00:00.123456789+00:00"
TIME_MS = 1772366400123


def log(*lines: tuple[str, str, str]) -> bytes:
    return b"".join(f"{TIME} {stream} {tag} {text}\n".encode() for stream, tag, text in lines)


def read(data: bytes) -> list[str]:
    joiner = LineJoiner(0)
    joiner.feed(data)
    return [event.message for event in joiner.take()[0]]


def test_whole_lines() -> None:
    """A whole line is an event with its time in milliseconds, and reading is clean behind it."""
    joiner = LineJoiner(0)
    data = log(("stdout", "F", "hello world"), ("stderr", "F", "  oh "))
    assert joiner.feed(data) == len(data)
    assert joiner.take() == ([LogEvent(TIME_MS, "hello world"), LogEvent(TIME_MS, "  oh ")], len(data))
    assert joiner.take() == ([], len(data))


def test_time_zones_and_seconds() -> None:
    """Times count from the epoch whatever zone the supervisor runs in, and change with each line."""
    joiner = LineJoiner(0)
    joiner.feed(b"2026-03-01T14:00:01.9+02:00 stdout F a\n2026-03-01T12:00:02.004000000+00:00 stdout F b\n")
    assert [event.timestamp_ms for event in joiner.take()[0]] == [1772366401000, 1772366402004]


def test_parts_are_joined_by_stream() -> None:
    """Parts of a line are joined with those of the same stream; whole lines of the other one wait behind."""
    joiner = LineJoiner(0)
    data = log(("stdout", "P", "a"), ("stderr", "F", "x"), ("stdout", "P", "b"))
    joiner.feed(data)
    assert joiner.take() == ([], 0)
    assert joiner.is_held
    joiner.feed(log(("stdout", "F", "c")))
    assert [event.message for event in joiner.take()[0]] == ["x", "abc"]
    assert not joiner.is_held


def test_open_parts_can_be_ended() -> None:
    """At a container's end, the line that it did not end is an event, too."""
    joiner = LineJoiner(0)
    data = log(("stdout", "P", "prompt> "))
    joiner.feed(data)
    joiner.end_parts()
    assert joiner.take() == ([LogEvent(TIME_MS, "prompt> ")], len(data))


def test_empty_lines_are_dropped() -> None:
    """CloudWatch takes no empty message; reading goes past such lines."""
    data = log(("stdout", "F", ""), ("stdout", "F", "a"), ("stdout", "P", ""), ("stdout", "F", ""))
    assert read(data) == ["a"]


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    """A broken character costs itself, never the line; a character cut between two parts is whole again."""
    assert read(f"{TIME} stdout F a".encode() + b"\xff" + b"b\n") == ["a�b"]
    parts = f"{TIME} stdout P ".encode() + b"\xc3\n" + f"{TIME} stdout F ".encode() + b"\xa4\n"
    assert read(parts) == ["ä"]


def test_long_lines_are_cut_at_the_events_limit() -> None:
    """A line of any length becomes events that CloudWatch can hold, cut between characters."""
    text = "a" + "ä" * EVENT_LIMIT_BYTES
    pieces = [text[start : start + 4000] for start in range(0, len(text), 4000)]
    data = log(*(("stdout", "P", piece) for piece in pieces), ("stdout", "F", ""))
    messages = read(data)
    assert "".join(messages) == text
    assert len(messages) == 3
    assert all(len(message.encode()) <= EVENT_LIMIT_BYTES for message in messages)


def test_foreign_lines_are_skipped() -> None:
    """What is not of the format costs itself alone."""
    assert read(b"\0\0\0\nnonsense\n\n" + log(("stdout", "F", "a"))) == ["a"]


LINES = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.sampled_from("PF"), st.text("aä ", max_size=4)))


@given(LINES, st.lists(st.integers(1, 60), min_size=1))
def test_any_cut_of_the_file_reads_the_same(lines: list[tuple[str, str, str]], sizes: list[int]) -> None:
    """However the file is cut into reads, the events and the clean offset are the same."""
    data = log(*lines)
    whole = LineJoiner(0)
    whole.feed(data)
    cut, position, turn = LineJoiner(0), 0, 0
    events: list[LogEvent] = []
    window = 0
    while position < len(data):
        window += sizes[turn % len(sizes)]
        turn += 1
        position += (taken := cut.feed(data[position : position + window]))
        window = 0 if taken else window
        events += cut.take()[0]
    expected, offset = whole.take()
    assert (events, cut.take()[1]) == (expected, offset)


@given(LINES, st.data())
def test_reading_on_from_a_clean_offset_neither_repeats_nor_misses(
    lines: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    """A reader that starts where another stopped gives exactly what that one had not given yet."""
    content = log(*lines)
    stop = data.draw(st.integers(0, len(content)))
    first = LineJoiner(0)
    first.feed(content[:stop])
    events, offset = first.take()
    second = LineJoiner(offset)
    second.feed(content[offset:])
    whole = LineJoiner(0)
    whole.feed(content)
    assert events + second.take()[0] == whole.take()[0]
