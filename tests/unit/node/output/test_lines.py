"""The log format is read, cut lines are joined, and offsets are such that nothing is read twice or lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.node.output.lines import EVENT_LIMIT_BYTES, LineJoiner, Placed

TIME = "2026-03-01T12:00:00.123456789+00:00"
TIME_NS = 1772366400123456789


def log(*lines: tuple[str, str, str]) -> bytes:
    return b"".join(f"{TIME} {stream} {tag} {text}\n".encode() for stream, tag, text in lines)


Line = tuple[str, int, bytes]


def flat(bursts: list[Placed]) -> list[Line]:
    """Lines one by one, with their outputs and times."""
    return [(burst.output, burst.time_ns, line) for burst, _ in bursts for line in burst.lines]


def take(joiner: LineJoiner) -> tuple[list[Line], int]:
    bursts, offset = joiner.take()
    return flat(bursts), offset


def read(data: bytes) -> list[bytes]:
    joiner = LineJoiner(0)
    joiner.feed(data)
    return [line for _, _, line in take(joiner)[0]]


def test_whole_lines() -> None:
    """A whole line has its time and its output, and reading is clean behind it."""
    joiner = LineJoiner(0)
    data = log(("stdout", "F", "hello world"), ("stderr", "F", "  oh "))
    assert joiner.feed(data) == len(data)
    assert take(joiner) == ([("stdout", TIME_NS, b"hello world"), ("stderr", TIME_NS, b"  oh ")], len(data))
    assert take(joiner) == ([], len(data))


def test_time_zones_and_seconds() -> None:
    """Times count from the epoch whatever zone the supervisor runs in, and change with each line."""
    joiner = LineJoiner(0)
    joiner.feed(b"2026-03-01T14:00:01.9+02:00 stdout F a\n2026-03-01T12:00:02.004000000+00:00 stdout F b\n")
    assert [time for _, time, _ in take(joiner)[0]] == [1772366401900_000_000, 1772366402004_000_000]


def test_parts_are_joined_by_stream() -> None:
    """Parts of a line are joined with those of the same stream; whole lines of the other one wait behind."""
    joiner = LineJoiner(0)
    data = log(("stdout", "P", "a"), ("stderr", "F", "x"), ("stdout", "P", "b"))
    joiner.feed(data)
    assert joiner.take() == ([], 0)
    assert joiner.is_held
    joiner.feed(log(("stdout", "F", "c")))
    assert take(joiner)[0] == [("stderr", TIME_NS, b"x"), ("stdout", TIME_NS, b"abc")]
    assert not joiner.is_held


def test_open_parts_can_be_ended() -> None:
    """At a container's end, the line that it did not end is an event, too."""
    joiner = LineJoiner(0)
    data = log(("stdout", "P", "prompt> "))
    joiner.feed(data)
    joiner.end_parts()
    assert take(joiner) == ([("stdout", TIME_NS, b"prompt> ")], len(data))


def test_empty_lines_are_lines() -> None:
    """They are given as they are: the sink may have use for them."""
    data = log(("stdout", "F", ""), ("stdout", "F", "a"), ("stdout", "P", ""), ("stdout", "F", ""))
    assert read(data) == [b"", b"a", b""]


def test_a_character_cut_between_two_parts_is_whole_again() -> None:
    """Parts are joined as bytes."""
    parts = f"{TIME} stdout P ".encode() + b"\xc3\n" + f"{TIME} stdout F ".encode() + b"\xa4\n"
    assert read(parts) == ["ä".encode()]


def test_a_line_that_lost_its_end_is_a_line() -> None:
    """What comes behind a cut does not go on with what stands before it."""
    joiner = LineJoiner(0)
    head, tail = log(("stdout", "F", "a"), ("stdout", "F", "lost"))[:-3], log(("stdout", "F", "b"))
    assert joiner.feed(head, is_cut=True) == len(head)
    joiner.feed(tail)
    assert take(joiner) == (
        [("stdout", TIME_NS, b"a"), ("stdout", TIME_NS, b"lo"), ("stdout", TIME_NS, b"b")],
        len(head + tail),
    )


def test_offsets_stand_behind_lines() -> None:
    """After each line, where reading can go on; nowhere, while a part of another line is open."""
    joiner = LineJoiner(0)
    one = len(log(("stdout", "F", "a")))
    joiner.feed(log(("stdout", "F", "a"), ("stdout", "F", "b"), ("stdout", "P", "c"), ("stderr", "F", "d")))
    joiner.feed(log(("stdout", "F", "e")))
    bursts, _ = joiner.take()
    assert [end for _, ends in bursts for end in ends] == [one, 2 * one, -1, 5 * one]


def test_long_lines_are_cut_at_the_events_limit() -> None:
    """A line of any length becomes events that CloudWatch can hold, cut between characters."""
    text = "a" + "ä" * EVENT_LIMIT_BYTES
    pieces = [text[start : start + 4000] for start in range(0, len(text), 4000)]
    data = log(*(("stdout", "P", piece) for piece in pieces), ("stdout", "F", ""))
    messages = read(data)
    assert b"".join(messages).decode() == text
    assert len(messages) == 3
    assert all(len(message) <= EVENT_LIMIT_BYTES and message.decode() for message in messages)


def test_foreign_lines_are_skipped() -> None:
    """What is not of the format costs itself alone."""
    assert read(b"\0\0\0\nnonsense\n\n" + log(("stdout", "F", "a"))) == [b"a"]


LINES = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.sampled_from("PF"), st.text("aä ", max_size=4)))


@given(LINES, st.lists(st.integers(1, 60), min_size=1))
def test_any_cut_of_the_file_reads_the_same(lines: list[tuple[str, str, str]], sizes: list[int]) -> None:
    """However the file is cut into reads, the events and the clean offset are the same."""
    data = log(*lines)
    whole = LineJoiner(0)
    whole.feed(data)
    cut, position, turn = LineJoiner(0), 0, 0
    events: list[Line] = []
    window = 0
    while position < len(data):
        window += sizes[turn % len(sizes)]
        turn += 1
        position += (taken := cut.feed(data[position : position + window]))
        window = 0 if taken else window
        events += take(cut)[0]
    expected, offset = take(whole)
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
    events, offset = take(first)
    second = LineJoiner(offset)
    second.feed(content[offset:])
    whole = LineJoiner(0)
    whole.feed(content)
    assert events + take(second)[0] == take(whole)[0]
