"""What commands print: laid out for a terminal as wide as it is, or for a pipe, where nothing is folded or cut."""

from __future__ import annotations

import io
import sys

import click
from rich.console import Console, RenderableType

PIPE_WIDTH = 10_000
"""In columns: more than any line that is told."""


def show(*parts: RenderableType) -> None:
    """Print them to standard output, one below the other. Into a pipe: plain lines without spaces at their ends."""
    if sys.stdout.isatty():
        console = Console(highlight=False)
        for part in parts:
            console.print(part)
        return
    plain = Console(file=io.StringIO(), width=PIPE_WIDTH, color_system=None, highlight=False)
    with plain.capture() as captured:
        for part in parts:
            plain.print(part)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())
