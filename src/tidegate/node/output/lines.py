"""
Reads the log that a container's supervisor writes (the CRI format), and joins what it had to cut.

    2026-03-01T12:00:00.123456789+00:00 stdout F a whole line, or the end of one
    2026-03-01T12:00:00.123456789+00:00 stderr P a part, because the line is long or was not ended yet

A *clean* offset is one between two lines of the file where neither output has an open part: reading from there gives
all that follows and nothing twice. Lines are given out up to clean offsets only.

The supervisor gives all lines of one read (up to 8 KiB) the same time, so neighbours mostly share their first 43 bytes:
what is told by those is told once a burst, not once a line.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from tidegate.model.log import Burst, Output

EVENT_LIMIT_BYTES: Final = 262_144 - 26
"""CloudWatch Logs: an event has 256 KiB, of which 26 bytes are overhead (PutLogEvents)."""
_SECOND_END: Final = 19
"""Characters of `2026-03-01T12:00:00`."""
_PASS_BYTES: Final = 1024 * 1024
_OUTPUTS: Final[dict[bytes, Output]] = {b"stdout": "stdout", b"stderr": "stderr"}


class Placed(NamedTuple):
    """A burst, and after each of its lines the offset in the file, or -1 where reading can't go on from there."""

    burst: Burst
    ends: list[int]


@dataclass(slots=True)
class _Part:
    data: list[bytes] = field(default_factory=list)
    size: int = 0


class LineJoiner:
    """Takes the file's bytes in order, gives lines and the clean offset behind them."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        """Up to here the file has been fed; always the start of a line."""
        self._clean_offset = offset
        self._bursts: list[Placed] = []
        self._clean_bursts = 0
        """So many of them are before the first open part."""
        self._parts: dict[Output, _Part] = {}
        self._lines: list[bytes] = []
        self._ends: list[int] = []
        self._begun: tuple[Output, int] | None = None
        """Of which burst `_lines` and `_ends` are."""
        self._time_ns = 0
        self._second = b""
        self._second_ns = 0

    @property
    def is_held(self) -> bool:
        """Lines wait behind one that has not ended."""
        return len(self._bursts) > self._clean_bursts and bool(self._parts)

    def feed(self, data: bytes, *, is_cut: bool = False) -> int:
        """
        Take the whole lines of `data`, which starts at `offset`; returns how many bytes they are.

        is_cut: what follows does not go on with the line that `data` ends in, so that is taken as it is.
        """
        end = len(data) if is_cut else data.rfind(b"\n") + 1
        lines = data[:end].split(b"\n")
        if not lines[-1]:
            del lines[-1]
        position, last = self.offset, self.offset + end
        head, content_at, is_joining = b"", 0, True
        for line in lines:
            start = position
            position += len(line) + 1
            if is_joining or line[:content_at] != head:
                head = self._take(line, start, min(position, last))
                content_at, is_joining = len(head), bool(self._parts) or not head
            else:
                self._lines.append(line[content_at:])
                self._ends.append(position)
        self.offset = last
        if not self._parts:
            self._clean_offset = last
        return end

    def take(self) -> tuple[list[Placed], int]:
        """The lines up to the clean offset, which are forgotten here, and that offset."""
        count = self._clean_bursts if self._parts else len(self._bursts)
        ready = self._bursts[:count]
        del self._bursts[:count]
        self._clean_bursts = 0
        self._begun = None
        return ready, self._clean_offset

    def end_parts(self) -> None:
        """Give what is open as lines of their own: the container has ended, or others have waited long enough."""
        for output in list(self._parts):
            self._emit(output, b"".join(self._parts.pop(output).data), self.offset)
        self._clean_offset = self.offset

    def _take(self, line: bytes, start: int, end: int) -> bytes:
        """One line, whatever it is; returns what a whole line of the same burst begins with."""
        fields = line.split(b" ", 3)
        output = _OUTPUTS.get(fields[1]) if len(fields) >= 3 and len(fields[0]) > _SECOND_END else None
        if output is None:
            return b""  # not of this format: a hole, or the rest of a write that the disk had no room for
        content = fields[3] if len(fields) == 4 else b""
        self._time_ns = self._read_time(fields[0])
        if fields[2] == b"F" and not self._parts:
            self._emit(output, content, end)
        else:
            if not self._parts:
                self._clean_offset = start
                self._clean_bursts = len(self._bursts)
                self._begun = None
            self._join(output, content, end, is_end=fields[2] == b"F")
        return b"%b %b F " % (fields[0], fields[1])

    def _join(self, output: Output, content: bytes, position: int, *, is_end: bool) -> None:
        if is_end and output not in self._parts and len(content) <= EVENT_LIMIT_BYTES:
            self._emit(output, content, position)
            return
        part = self._parts.setdefault(output, _Part())
        part.data.append(content)
        part.size += len(content)
        while part.size > EVENT_LIMIT_BYTES:
            whole = b"".join(part.data)
            cut = _cut_position(whole)
            self._emit(output, whole[:cut], position)
            part.data, part.size = [whole[cut:]], len(whole) - cut
        if is_end:
            self._emit(output, b"".join(self._parts.pop(output).data), position)

    def _emit(self, output: Output, line: bytes, position: int) -> None:
        if self._begun != (output, self._time_ns):
            self._begun = (output, self._time_ns)
            self._lines, self._ends = [], []
            self._bursts.append(Placed(Burst(output, self._time_ns, self._lines), self._ends))
        self._lines.append(line)
        self._ends.append(-1 if self._parts else position)

    def _read_time(self, text: bytes) -> int:
        # Most lines share their second with the one before.
        second = text[:_SECOND_END] + text[-6:]
        if second != self._second:
            try:
                self._second_ns = _parse_second(text)
            except ValueError:
                return self._time_ns
            self._second = second
        fraction = text[_SECOND_END + 1 : _SECOND_END + 10].partition(b"+")[0].partition(b"-")[0].rstrip(b"Z")
        return self._second_ns + (int(fraction.ljust(9, b"0")) if fraction.isdigit() else 0)


def _parse_second(text: bytes) -> int:
    zone = text[-6:].decode() if text[-6:-5] in (b"+", b"-") else "+00:00"
    return int(datetime.fromisoformat(text[:_SECOND_END].decode() + zone).timestamp()) * 1_000_000_000


def _cut_position(data: bytes) -> int:
    """The most that fits into an event without cutting a character of UTF-8."""
    position = EVENT_LIMIT_BYTES
    for _ in range(3):
        if data[position] & 0xC0 != 0x80:
            break
        position -= 1
    return position


class Passed(NamedTuple):
    """What `pass_by` has passed: where the next whole line begins, and how many lines are before it."""

    offset: int
    lines: int


def pass_by(fd: int, start: int, goal: int) -> Passed:
    """
    Count the lines of an output file from `start` to the first line's end behind `goal`, without taking them apart.

    Parts count with the line that they are of. Text that looks like a part's head may make the number a little smaller.
    """
    position, lines = start, 0
    while position < goal:
        data = os.pread(fd, min(_PASS_BYTES, goal - position), position)
        if not data:
            break
        position += len(data)
        lines += _count_lines(data)
    rest = os.pread(fd, EVENT_LIMIT_BYTES, position)
    end = rest.find(b"\n") + 1
    while following := rest.find(b"\n", end) + 1:
        is_whole = rest[end:following].split(b" ", 3)[2:3] == [b"F"]
        end = following
        if is_whole:
            break
    return Passed(position + end, lines + _count_lines(rest[:end]))


def _count_lines(data: bytes) -> int:
    return data.count(b"\n") - data.count(b" stdout P ") - data.count(b" stderr P ")
