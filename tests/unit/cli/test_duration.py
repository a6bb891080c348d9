"""Durations on the command line."""

from __future__ import annotations

import click
import pytest

from tidegate.cli.duration import Duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("3d", 259_200), ("0s", 0)], ids=lambda v: str(v)
)
def test_units(text: str, seconds: float):
    """Seconds, minutes, hours and days."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1w", "1h30m", " 1h", "9999999999s"])
def test_what_is_none(text: str):
    """Anything else is refused with an example."""
    with pytest.raises(click.BadParameter, match="write 90s"):
        Duration().convert(text, None, None)
