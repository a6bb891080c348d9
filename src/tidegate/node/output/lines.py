"""
Reads the log that a container's supervisor writes (the CRI format), and joins what it had to cut.

    2026-03-01T12:00:00.123456789+00:00 stdout F a whole line, or the end of one
    2026-03-01T12:00:00.123456789+00:00 stderr P a part, because the line is long or was not ended yet

A *clean* offset is one between two lines of the file where neither stream has an open part: reading from there gives
all that follows and nothing twice. Events are given out up to clean offsets only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tidegate.node.output.sink import LogEvent

EVENT_LIMIT_BYTES = 262_144 - 26
"""CloudWatch Logs: an event has 256 KiB, of which 26 bytes are overhead (PutLogEvents)."""
_SECOND_END = 19
"""Characters of `2026-03-01T12:00:00`."""


@dataclass(slots=True)
class _Part:
    data: list[bytes] = field(default_factory=list)
    size: int = 0


class LineJoiner:
    """Takes the file's bytes in order, gives events and the clean offset behind them."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        """Up to here the file has been fed; always the start of a line."""
        self._clean_offset = offset
        self._events: list[LogEvent] = []
        self._clean_events = 0
        self._parts: dict[bytes, _Part] = {}
        self._last_time_ms = 0
        self._second = b""
        self._second_ms = 0

    @property
    def is_held(self) -> bool:
        """Events wait behind a line that has not ended."""
        return len(self._events) > self._clean_events

    def feed(self, data: bytes) -> int:
        """Take the whole lines of `data`, which starts at `offset`; returns how many bytes they are."""
        end = data.rfind(b"\n") + 1
        position = self.offset
        parts = self._parts
        for line in data[:end].split(b"\n")[:-1]:
            position += len(line) + 1
            self._take(line)
            if not parts:
                self._clean_offset = position
                self._clean_events = len(self._events)
        self.offset = position
        return end

    def take(self) -> tuple[list[LogEvent], int]:
        """The events up to the clean offset, which are forgotten here, and that offset."""
        ready = self._events[: self._clean_events]
        del self._events[: self._clean_events]
        self._clean_events = 0
        return ready, self._clean_offset

    def end_parts(self) -> None:
        """Give what is open as lines of their own: the container has ended, or others have waited long enough."""
        for stream in list(self._parts):
            self._emit(self._parts.pop(stream))
        self._clean_offset = self.offset
        self._clean_events = len(self._events)

    def _take(self, line: bytes) -> None:
        fields = line.split(b" ", 3)
        if len(fields) < 3 or len(fields[0]) <= _SECOND_END:
            return  # not of this format: a hole, or the rest of a write that the disk had no room for
        content = fields[3] if len(fields) == 4 else b""
        self._last_time_ms = self._read_time(fields[0])
        if fields[2] == b"F" and fields[1] not in self._parts and len(content) <= EVENT_LIMIT_BYTES:
            if content:
                self._events.append(LogEvent(self._last_time_ms, content.decode(errors="replace")))
            return
        self._join(fields[1], content, is_end=fields[2] == b"F")

    def _join(self, stream: bytes, content: bytes, *, is_end: bool) -> None:
        part = self._parts.setdefault(stream, _Part())
        part.data.append(content)
        part.size += len(content)
        while part.size > EVENT_LIMIT_BYTES:
            whole = b"".join(part.data)
            cut = _cut_position(whole)
            self._emit(_Part([whole[:cut]]))
            part.data, part.size = [whole[cut:]], len(whole) - cut
        if is_end:
            self._emit(self._parts.pop(stream))

    def _emit(self, part: _Part) -> None:
        """An empty message is none: CloudWatch wants one character at least, and docker's driver skips them, too."""
        message = b"".join(part.data)
        if message:
            self._events.append(LogEvent(self._last_time_ms, message.decode(errors="replace")))

    def _read_time(self, text: bytes) -> int:
        # Most lines share their second with the one before.
        second = text[:_SECOND_END] + text[-6:]
        if second != self._second:
            try:
                self._second_ms = _parse_second(text)
            except ValueError:
                return self._last_time_ms
            self._second = second
        fraction = text[_SECOND_END + 1 : _SECOND_END + 4]
        return self._second_ms + (int(fraction) if len(fraction) == 3 and fraction.isdigit() else 0)


def _parse_second(text: bytes) -> int:
    zone = text[-6:].decode() if text[-6:-5] in (b"+", b"-") else "+00:00"
    return int(datetime.fromisoformat(text[:_SECOND_END].decode() + zone).timestamp()) * 1000


def _cut_position(data: bytes) -> int:
    """The most that fits into an event without cutting a character of UTF-8."""
    position = EVENT_LIMIT_BYTES
    for _ in range(3):
        if data[position] & 0xC0 != 0x80:
            break
        position -= 1
    return position
