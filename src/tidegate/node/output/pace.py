"""How long output may wait, and what is told of it in the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may wait, in seconds."""

    linger: float = 0.05
    """After a batch, so that the next one is worth its cost; a tenth of it when there is much."""
    hold: float = 1.0
    """Whole lines behind one that does not end; then that one is cut."""
    event: float = 5.0
    """An event of several lines, for more of them. Source: AWS's driver."""
    retry: float = 1.0
    """Before the sink is tried again; doubled up to half a minute."""
    drain: float = 30.0
    """For the sink to take the rest of a container that has ended; in blocking mode it may take for ever."""

    part: float = 10.0
    """For a receiver that is not the log store to take that rest: one that is gone does not come back."""


@dataclass(slots=True)
class Tally:
    """What became of a container's output, beside having been stored."""

    dropped_lines: int = 0
    """Because too much waited."""
    is_cut: bool = False
    """The file met its limit before it was read: an unknown number of lines is lost."""
