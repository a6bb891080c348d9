"""`tidegate ps`: the tasks there are."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.table import Table

from tidegate.api import ecs
from tidegate.cli.client import Client
from tidegate.cli.console import show
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import (
    HEALTH_STYLES,
    STATUS_STYLES,
    address,
    ago,
    list_tasks,
    published,
    short_id,
    task_id,
    why_stopped,
)


@click.command("ps")
@state_option
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option("-a", "--all", "include_stopped", is_flag=True, help="Stopped tasks as well.")
@click.option("-q", "--quiet", is_flag=True, help="Task ids only.")
def command(state_dir: Path | None, cluster: str, include_stopped: bool, quiet: bool) -> None:
    """List tasks, youngest first.

    \b
    tidegate ps
    tidegate ps -aq        the ids of all of them, for scripts
    """
    tasks = list_tasks(Client(find_target(state_dir)), cluster, include_stopped=include_stopped)
    if quiet:
        for task in tasks:
            click.echo(task_id(task))
        return
    if not tasks:
        click.echo("No tasks run. Start one: tidegate run nginx:latest -p 8080:80")
        return
    show(_table(tasks, include_stopped))


def _table(tasks: list[ecs.Task], with_reason: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = ["TASK", "DEFINITION", "STATUS", "HEALTH", "ADDRESS", "PORTS", "AGE"]
    for name in [*names, "REASON"] if with_reason else names:
        table.add_column(name, overflow="fold", no_wrap=name not in ("PORTS", "REASON"))
    for task in tasks:
        status, health = task.last_status or "", task.health_status or "UNKNOWN"
        row = [
            short_id(task),
            (task.task_definition_arn or "").rpartition("/")[2],
            f"[{STATUS_STYLES.get(status, 'default')}]{status}[/]",
            f"[{HEALTH_STYLES.get(health, 'default')}]{'-' if health == 'UNKNOWN' else health}[/]",
            address(task) or "-",
            published(task) or "-",
            ago(time.time() - (task.created_at or time.time())),
        ]
        table.add_row(*row, why_stopped(task)) if with_reason else table.add_row(*row)
    return table
