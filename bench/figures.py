"""Figures, the goals they are held against, and how both are shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure. holds: if the goal is met; None where there is no goal, or nothing to measure with."""

    what: str
    measured: str
    goal: str = ""
    holds: bool | None = None
    values: dict[str, float] = {}
    """What `measured` is made from."""

    @property
    def verdict(self) -> str:
        """For people."""
        return {True: "met", False: "MISSED", None: ""}[self.holds]


def milliseconds(seconds: Sequence[float], name: str) -> dict[str, float]:
    """`name`_p50_ms and `name`_p95_ms."""
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[18] if len(seconds) > 1 else seconds[0]
    return {
        f"{name}_p50_ms": round(statistics.median(seconds) * 1000, 2),
        f"{name}_p95_ms": round(p95 * 1000, 2),
    }


def compare(what: str, ours: Sequence[float], theirs: Sequence[float], against: str, limit: float, goal: str) -> Figure:
    """The ratio of the medians of two samples that were taken in turns."""
    values = milliseconds(ours, "ours") | milliseconds(theirs, "theirs")
    ratio = values["ours_p50_ms"] / values["theirs_p50_ms"]
    values |= {"ratio_p50": round(ratio, 3), "ratio_p95": round(values["ours_p95_ms"] / values["theirs_p95_ms"], 3)}
    measured = (
        f"{ratio:.2f}x  (p50 {values['ours_p50_ms']:.1f} ms, p95 {values['ours_p95_ms']:.1f}; "
        f"{against} {values['theirs_p50_ms']:.1f}, {values['theirs_p95_ms']:.1f})"
    )
    return Figure(what=what, measured=measured, goal=goal, holds=ratio <= limit, values=values)
