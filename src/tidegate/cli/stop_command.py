"""`tidegate stop`: stop tasks."""

from __future__ import annotations

from pathlib import Path

import click

from tidegate.api import ecs
from tidegate.cli.client import Client
from tidegate.cli.complete import complete_tasks
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import find_task, short_id, wait_for, why_stopped


@click.command("stop")
@state_option
@click.argument(
    "tasks", nargs=-1, required=True, metavar="TASK...", shell_complete=complete_tasks(include_stopped=False)
)
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option("--reason", help="Kept as the task's stoppedReason.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Return when the tasks have stopped.")
def command(state_dir: Path | None, tasks: tuple[str, ...], cluster: str, reason: str | None, wait: bool) -> None:
    """Stop tasks: SIGTERM, each container's stopTimeout, then SIGKILL.

    \b
    tidegate stop web
    tidegate stop $(tidegate ps -q) --reason "end of the day"
    """
    client = Client(find_target(state_dir))
    found = [find_task(client, cluster, name) for name in tasks]
    for task in found:
        request = ecs.StopTaskRequest(cluster=cluster, task=task.task_arn or "", reason=reason)
        client.ecs("StopTask", request, ecs.StopTaskResponse)
    for task in found:
        if wait:
            stopped = wait_for(client, cluster, task.task_arn or "", "STOPPED", "DELETED")
            click.echo(f"{short_id(task)}  {why_stopped(stopped)}")
        else:
            click.echo(short_id(task))
