"""The end of a container's output, from a log file of any content."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tidegate.kernel.holes import punch_hole
from tidegate.model.blackbox import LINE_BYTES, LOG_BYTES, LOG_LINES
from tidegate.node.output.tail import KEPT_BYTES, _join, read_tail

TIME = "2026-03-01T12:00:00.500000000+00:00"


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{TIME} {line}\n" for line in lines))
    return path


def texts(path: Path) -> list[str]:
    return [line.text for line in read_tail(path)[0]]


def test_lines_with_their_times_and_streams(tmp_path: Path):
    """Each line has its time and its stream; parts are one line, an unended one is shown as it is."""
    path = written(tmp_path / "log", "stdout F one", "stderr P tw", "stdout F three", "stderr F o", "stdout P and")
    lines, is_whole = read_tail(path)
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "one"),
        ("stdout", "three"),
        ("stderr", "two"),
        ("stdout", "and"),
    ]
    assert lines[0].at == 1_772_366_400.5
    assert is_whole


def test_limits(tmp_path: Path):
    """At most so many lines, so many bytes, and so much of one line; it is told that there was more."""
    path = written(tmp_path / "log", *(f"stdout F {n}" for n in range(1000)))
    assert texts(path) == [str(n) for n in range(1000 - LOG_LINES, 1000)]
    assert not read_tail(path)[1]
    path = written(tmp_path / "log", *(f"stdout F {'x' * 5000}" for _ in range(30)))
    assert sum(map(len, texts(path))) <= LOG_BYTES
    path = written(tmp_path / "log", *(f"stdout P {'y' * 5000}" for _ in range(9)), "stdout F end")
    assert len(texts(path)[0]) == LINE_BYTES


def test_what_was_freed_is_left_out(tmp_path: Path):
    """A file whose beginning was given back to the disk, up to the middle of a line, gives what is left."""
    path = written(tmp_path / "log", *(f"stdout F {n:060}" for n in range(500)))
    with path.open("r+b") as file:
        punch_hole(file.fileno(), 0, 20_000)
    lines = texts(path)
    assert lines[-1] == f"{499:060}"
    assert all(len(line) == 60 for line in lines)
    assert not read_tail(path)[1]


def test_nothing(tmp_path: Path):
    """No file and an empty one are no output, and that is all of it."""
    assert read_tail(tmp_path / "none") == ((), True)
    (tmp_path / "log").touch()
    assert read_tail(tmp_path / "log") == ((), True)


def test_a_link_is_not_followed(tmp_path: Path):
    """The file is the supervisor's or nobody's."""
    (tmp_path / "log").symlink_to("/etc/passwd")
    assert read_tail(tmp_path / "log") == ((), True)


@given(st.binary(max_size=3000))
def test_any_bytes(data: bytes):
    """Whatever is in the file: lines that are text, and no exception."""
    for line in _join(data):
        line.text.encode()


def test_enough_is_kept_by_the_reader():
    """What the reader of the output leaves on the disk is worth LOG_BYTES of text, in lines of the usual length."""
    assert KEPT_BYTES >= LOG_BYTES + LOG_LINES * 60
