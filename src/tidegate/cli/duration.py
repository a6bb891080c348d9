"""Durations on the command line: 90s, 30m, 12h, 3d."""

from __future__ import annotations

import re

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType[float]):
    """Seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"(\d{1,9})([smhd])", str(value))
        if found is None:
            self.fail(f"`{value}` is not a duration; write 90s, 30m, 12h or 3d", param, ctx)
        return float(int(found[1]) * _SECONDS[found[2]])
