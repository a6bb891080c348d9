"""What commands print into a pipe."""

from __future__ import annotations

import pytest
from rich.table import Table

from tidegate.cli.console import show


def test_a_pipe_gets_whole_lines_and_nothing_but_text(capsys: pytest.CaptureFixture[str]) -> None:
    """However long they are; without styles, and without spaces at their ends."""
    table = Table(box=None, show_header=False, pad_edge=False)
    arn = "arn:aws:sts::000000000000:assumed-role/" + "x" * 300
    table.add_row("[bold]Reason[/]", f"[red]{arn}[/]")
    table.add_row("Health", "-")
    show(table, "\n[dim]why:[/] it was so")
    assert capsys.readouterr().out == f"Reason  {arn}\nHealth  -\n\nwhy: it was so\n"
