"""Finding tasks for commands, and what their states are called on a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from tidegate.api import ecs
from tidegate.cli.client import ApiError, Client

DESCRIBE_LIMIT = 100

STATUS_STYLES = {
    "RUNNING": "green",
    "STOPPED": "bright_black",
    "PROVISIONING": "yellow",
    "PENDING": "yellow",
    "ACTIVATING": "yellow",
}
HEALTH_STYLES = {"HEALTHY": "green", "UNHEALTHY": "red"}


def list_tasks(client: Client, cluster: str, *, include_stopped: bool = False) -> list[ecs.Task]:
    """The cluster's tasks, youngest first."""
    arns: list[str] = []
    for desired in ("RUNNING", "STOPPED") if include_stopped else ("RUNNING",):
        token: str | None = None
        while True:
            request = ecs.ListTasksRequest(cluster=cluster, desired_status=desired, next_token=token)
            try:
                page = client.ecs("ListTasks", request, ecs.ListTasksResponse)
            except ApiError as error:
                if error.code == "ClusterNotFoundException" and cluster == "default":
                    return []  # it appears with its first task
                raise
            arns += page.task_arns or ()
            token = page.next_token
            if token is None:
                break
    return sorted(describe(client, cluster, arns), key=lambda task: task.created_at or 0, reverse=True)


def describe(client: Client, cluster: str, tasks: Sequence[str]) -> list[ecs.Task]:
    """The tasks that there are of those named."""
    found: list[ecs.Task] = []
    for start in range(0, len(tasks), DESCRIBE_LIMIT):
        request = ecs.DescribeTasksRequest(
            cluster=cluster, tasks=tuple(tasks[start : start + DESCRIBE_LIMIT]), include=("TAGS",)
        )
        found += client.ecs("DescribeTasks", request, ecs.DescribeTasksResponse).tasks or ()
    return found


def find_task(client: Client, cluster: str, name: str) -> ecs.Task:
    """
    The task that `name` means: an ARN, an id, the beginning of an id, or a family with exactly one task.

    Raises click.ClickException.
    """
    if len(name) == 32 or name.startswith("arn:"):
        found = describe(client, cluster, [name])
    else:
        everything = list_tasks(client, cluster, include_stopped=True)
        found = [task for task in everything if task_id(task).startswith(name)]
        if not found:
            named = [task for task in everything if family(task) == name]
            found = [task for task in named if task.last_status != "STOPPED"] or named[:1]
    if not found:
        raise click.ClickException(f"there is no task `{name}` in cluster `{cluster}`; see `tidegate ps -a`")
    if len(found) > 1:
        ids = ", ".join(short_id(task) for task in found)
        raise click.ClickException(f"`{name}` means more than one task: {ids}")
    return found[0]


def wait_for(client: Client, cluster: str, task: str, *statuses: str, poll_seconds: float = 0.1) -> ecs.Task:
    """Poll until the task has one of the statuses."""
    while True:
        (found,) = describe(client, cluster, [task])
        if found.last_status in statuses:
            return found
        time.sleep(poll_seconds)


def task_id(task: ecs.Task) -> str:
    """32 hex digits."""
    return (task.task_arn or "").rpartition("/")[2]


def short_id(task: ecs.Task) -> str:
    """Enough of the id to name it."""
    return task_id(task)[:12]


def family(task: ecs.Task) -> str:
    """Of its task definition."""
    return (task.task_definition_arn or "").rpartition("/")[2].partition(":")[0]


def address(task: ecs.Task) -> str:
    """The task's own address, or nothing if it has none yet."""
    for attachment in task.attachments or ():
        for detail in attachment.details or ():
            if detail.name == "privateIPv4Address":
                return detail.value or ""
    return ""


def published(task: ecs.Task) -> str:
    """Its published ports, as `tidegate run -p` was given them."""
    return next((tag.value or "" for tag in task.tags or () if tag.key == "tidegate:publish"), "")


def why_stopped(task: ecs.Task) -> str:
    """One line: the reason, and each container's own."""
    parts = [task.stopped_reason or ""]
    for container in task.containers or ():
        if container.reason and container.reason not in parts[0]:
            parts.append(f"{container.name}: {container.reason}")
        elif container.exit_code is not None:
            parts.append(f"{container.name}: exit code {container.exit_code}")
    return "; ".join(part for part in parts if part)


def ago(seconds: float) -> str:
    """A duration in its largest unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def cluster_option() -> object:
    """The --cluster option."""
    return click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
