"""The end of what a container wrote, from its supervisor's log file: for people, whatever became of the rest."""

from __future__ import annotations

import os
from collections import deque
from datetime import datetime
from pathlib import Path

from tidegate.model.blackbox import LINE_BYTES, LOG_BYTES, LOG_LINES, LogLine

KEPT_BYTES = 128 * 1024
"""Of a log file's end that its reader does not free: LOG_BYTES of text, with what the format adds to each line."""
_STREAMS = (b"stdout", b"stderr")


def read_tail(path: Path) -> tuple[tuple[LogLine, ...], bool]:
    """
    (the last lines, whether that is all); at most LOG_LINES of LOG_BYTES together.

    What was freed in between, or is no line of this format, is left out. A file that is not there is empty.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return (), True
    try:
        size = os.fstat(fd).st_size
        start = max(0, size - KEPT_BYTES)
        data = os.pread(fd, KEPT_BYTES, start)
    finally:
        os.close(fd)
    is_whole = start == 0 and not data.startswith(b"\0")
    if not is_whole:
        data = data.lstrip(b"\0").partition(b"\n")[2]
    lines = _join(data)
    kept = _limit(lines)
    return kept, is_whole and len(kept) == len(lines)


def _join(data: bytes) -> list[LogLine]:
    """Lines whose parts (`P`) are put together, as far as LINE_BYTES."""
    lines: list[LogLine] = []
    open_parts: dict[bytes, bytes] = {}
    for raw in data.split(b"\n"):
        fields = raw.split(b" ", 3)
        if len(fields) != 4 or fields[1] not in _STREAMS:
            continue
        time, stream, tag, text = fields
        text = (open_parts.pop(stream, b"") + text)[:LINE_BYTES]
        if tag == b"P":
            open_parts[stream] = text
        else:
            lines.append(_line(time, stream, text))
    lines += [_line(b"", stream, text) for stream, text in open_parts.items()]
    return lines


def _line(time: bytes, stream: bytes, text: bytes) -> LogLine:
    return LogLine(
        at=_seconds(time), stream="stderr" if stream == b"stderr" else "stdout", text=text.decode(errors="replace")
    )


def _seconds(time: bytes) -> float:
    """2026-03-01T12:00:00.123456789+00:00; 0 for what is no time."""
    try:
        return datetime.fromisoformat(time[:26].decode() + time[29:].decode()).timestamp()
    except (ValueError, UnicodeDecodeError):
        return 0.0


def _limit(lines: list[LogLine]) -> tuple[LogLine, ...]:
    kept: deque[LogLine] = deque()
    size = 0
    for line in reversed(lines[-LOG_LINES:]):
        size += len(line.text.encode(errors="replace"))
        if size > LOG_BYTES and kept:
            break
        kept.appendleft(line)
    return tuple(kept)
