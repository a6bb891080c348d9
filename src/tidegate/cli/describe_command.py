"""`tidegate describe`: a task, and where the time of its launch went."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from tidegate.api import ecs, tidegate
from tidegate.cli.client import Client
from tidegate.cli.complete import complete_tasks
from tidegate.cli.console import show
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import HEALTH_STYLES, STATUS_STYLES, address, find_task, published, short_id, task_id
from tidegate.model.task import MADE_ROLE

BAR_WIDTH = 40


@click.command("describe")
@state_option
@click.argument("task", shell_complete=complete_tasks(include_stopped=True))
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
def command(state_dir: Path | None, task: str, cluster: str) -> None:
    """Show TASK: its states, its containers, and a picture of its launch.

    \b
    tidegate describe 340a6f
    tidegate describe web
    """
    client = Client(find_target(state_dir))
    found = find_task(client, cluster, task)
    request = tidegate.DescribeTimelineRequest(cluster=cluster, task=found.task_arn or "")
    timeline = client.tidegate("DescribeTimeline", request, tidegate.DescribeTimelineResponse)
    parts: list[RenderableType] = [_facts(found, timeline.waiting_reason), _containers(found)]
    if found.last_status == "STOPPED" or timeline.waiting_reason:
        parts.append(f"\n[dim]why:[/] tidegate why {short_id(found)}")
    if timeline.phases:
        parts += ["\n[bold]Launch[/]", draw_timeline(timeline.phases, found.created_at or 0, found.started_at)]
    show(*parts)


def _facts(task: ecs.Task, waiting_reason: str | None) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    status = task.last_status or ""
    rows = {
        "Task": task_id(task),
        "Definition": (task.task_definition_arn or "").rpartition("/")[2],
        "Status": f"[{STATUS_STYLES.get(status, 'default')}]{status}[/] (desired {task.desired_status})",
        "Health": task.health_status or "UNKNOWN",
        "Size": f"{task.cpu} CPU units, {task.memory} MiB",
        "Address": address(task) or "-",
        "Published": published(task) or "-",
        "Made roles": _made_roles(task),
        "Created": _time(task.created_at),
        "Started": _time(task.started_at),
        "Stopped": _time(task.stopped_at),
        "Stop code": task.stop_code or "",
        "Reason": escape(task.stopped_reason or ""),
        "Waits for": escape(waiting_reason or ""),
    }
    for name, value in rows.items():
        if value:
            table.add_row(f"[bold]{name}[/]", value)
    return table


def _made_roles(task: ecs.Task) -> str:
    """Those that nobody had created."""
    made = (a for a in task.attributes or () if a.name.startswith(MADE_ROLE))
    return ", ".join(f"{escape(a.value or '')} ({a.name.removeprefix(MADE_ROLE)})" for a in made)


def _containers(task: ecs.Task) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("\nCONTAINER", "\nSTATUS", "\nHEALTH", "\nEXIT", "\nIMAGE", "\nREASON"):
        table.add_column(name, overflow="fold")
    for container in task.containers or ():
        health = container.health_status or "UNKNOWN"
        table.add_row(
            container.name,
            f"[{STATUS_STYLES.get(container.last_status or '', 'default')}]{container.last_status}[/]",
            f"[{HEALTH_STYLES.get(health, 'default')}]{'-' if health == 'UNKNOWN' else health}[/]",
            "-" if container.exit_code is None else str(container.exit_code),
            container.image,
            escape(container.reason or ""),
        )
    return table


def draw_timeline(phases: tuple[tidegate.Phase, ...], created_at: float, started_at: float | None) -> Table:
    """One bar a phase, on one scale from RunTask to the end of the last phase."""
    begin = min([created_at, *(phase.started_at for phase in phases)])
    end = max([started_at or begin, *(phase.started_at + phase.milliseconds / 1000 for phase in phases)])
    scale = BAR_WIDTH / max(end - begin, 1e-6)
    table = Table(box=None, pad_edge=False, show_header=False)
    for phase in phases:
        offset = int((phase.started_at - begin) * scale)
        length = max(1, round(phase.milliseconds / 1000 * scale))
        bar = " " * offset + "━" * min(length, max(1, BAR_WIDTH - offset))
        table.add_row(escape(phase.name), f"{phase.milliseconds:.1f} ms", f"[cyan]{bar}[/]")
    if started_at is not None:
        table.add_row("[bold]RUNNING[/]", f"[bold]{(started_at - created_at) * 1000:.1f} ms[/]", "after RunTask")
    return table


def _time(at: float | None) -> str:
    return (
        "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6] + " UTC"
    )
