"""
Joins lines to the events that they are parts of: a line that a pattern matches begins an event, others go on with it.

As AWS's driver does it: events keep their line ends, the last one too; one that does not end is given out when it has
waited long enough (`Pace.event`), and one that would be too large for CloudWatch is cut between two lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from tidegate.model.log import Burst, Output
from tidegate.model.regex import Regex
from tidegate.node.output.lines import EVENT_LIMIT_BYTES, Placed

MATCHED_BYTES: Final = 16 * 1024
"""So much of a line is looked at: what begins an event stands at its beginning, and looking takes time."""


class EventJoiner:
    """Takes lines in order, gives events and the offset from which all that was not given can be read again."""

    def __init__(self, begins: Regex, offset: int) -> None:
        self._begins = begins
        self._offset = offset
        self._clean_offset = offset
        self._last_end = offset
        self._done: list[Burst] = []
        self._ready = 0
        """So many of them may be given out: reading can go on behind the last of those."""
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._output: Output = "stdout"
        self._time_ns = 0

    @property
    def is_held(self) -> bool:
        """An event has begun, and may go on."""
        return bool(self._open)

    @property
    def open_lines(self) -> int:
        """So many lines were taken that are of no event yet that was given."""
        return len(self._open)

    def push(self, bursts: Sequence[Placed], clean_offset: int) -> None:
        """Lines, and the clean offset behind them all."""
        for burst, ends in bursts:
            starts = [begins for begins, line in enumerate(burst.lines) if self._begins.matches(line[:MATCHED_BYTES])]
            if self._open_bytes + sum(map(len, burst.lines)) + len(ends) > EVENT_LIMIT_BYTES:
                starts = self._cut(burst.lines, set(starts))
            self._add(burst, ends, starts)
        self._clean_offset = clean_offset
        if not self._open:
            self._offset = clean_offset

    def take(self) -> tuple[list[Burst], int]:
        """The events that are whole, which are forgotten here, and the offset behind them."""
        ready = self._done[: self._ready]
        del self._done[: self._ready]
        self._ready = 0
        return ready, self._offset

    def end(self) -> None:
        """What is open is all of its event."""
        self._close()
        self._ready = len(self._done)
        self._offset = self._clean_offset

    def _cut(self, lines: list[bytes], starts: set[int]) -> list[int]:
        """Where events begin, when one might become too large."""
        size = self._open_bytes
        for number, line in enumerate(lines):
            size += len(line) + 1
            if number in starts or size > EVENT_LIMIT_BYTES:
                starts.add(number)
                size = len(line) + 1
        return sorted(starts)

    def _add(self, burst: Burst, ends: list[int], starts: list[int]) -> None:
        lines = burst.lines
        if not starts or (starts[0] > 0 and self._open):
            self._go_on(burst, lines[: starts[0] if starts else None])
            self._last_end = ends[starts[0] - 1 if starts else -1]
        elif starts[0] > 0:
            starts = [0, *starts]
        if not starts:
            return
        self._close()
        whole = [b"\n".join(lines[a:b]) + b"\n" for a, b in pairwise(starts)]
        if whole:
            self._done.append(Burst(burst.output, burst.time_ns, [event[:EVENT_LIMIT_BYTES] for event in whole]))
            self._last_end = ends[starts[-1] - 1]
            self._note_ready()
        self._go_on(burst, lines[starts[-1] :])
        self._last_end = ends[-1]

    def _go_on(self, burst: Burst, lines: list[bytes]) -> None:
        if not self._open:
            self._output, self._time_ns = burst.output, burst.time_ns
        self._open += lines
        self._open_bytes += sum(map(len, lines)) + len(lines)

    def _close(self) -> None:
        if self._open:
            event = b"\n".join(self._open) + b"\n"
            self._done.append(Burst(self._output, self._time_ns, [event[:EVENT_LIMIT_BYTES]]))
            self._open, self._open_bytes = [], 0
            self._note_ready()

    def _note_ready(self) -> None:
        """All events so far are whole; reading can go on behind them, if it can there at all."""
        if self._last_end >= 0:
            self._ready = len(self._done)
            self._offset = self._last_end
