"""`tidegate doctor`: what this host can do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tidegate.cli.target import state_option
from tidegate.server.statedir import DEFAULT_STATE_DIRECTORY

MARKS = {"ok": ("ok", "green"), "warning": ("--", "yellow"), "missing": ("NO", "red")}


@click.command("doctor")
@state_option
def command(state_dir: Path | None) -> None:
    """Say what this host can do, each line with the remedy. Exits with 1 if tasks can't run here.

    \b
    tidegate doctor
    """
    from tidegate.server.doctor import examine

    can_run = True
    for finding in examine(state_dir or DEFAULT_STATE_DIRECTORY):
        mark, colour = MARKS[finding.state]
        click.echo(f"{click.style(mark, fg=colour)}  {finding.subject:<10} {finding.found}")
        if finding.remedy:
            click.echo(f"    {'':<10} {click.style('-> ' + finding.remedy, dim=True)}")
        can_run = can_run and finding.state != "missing"
    if not can_run:
        click.echo("Tasks can't run on this host yet: see the lines marked NO.")
        sys.exit(1)
