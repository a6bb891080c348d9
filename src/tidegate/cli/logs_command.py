"""`tidegate logs`: what a task's containers wrote."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from tidegate.api import ecs, logs
from tidegate.cli.client import ApiError, Client
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import describe, find_task, task_id

POLL_SECONDS = 0.3
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_red")


@dataclass(slots=True)
class Stream:
    """The log stream of one container, and how far it was read."""

    container: str
    group: str
    name: str
    colour: str
    token: str | None = None


@click.command("logs")
@state_option
@click.argument("task")
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option("-c", "--container", help="Of this container only.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task stops.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="Begin with the last N lines of each container.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was written.")
def command(
    state_dir: Path | None,
    task: str,
    cluster: str,
    container: str | None,
    follow: bool,
    tail: int | None,
    timestamps: bool,
) -> None:
    """Show what TASK's containers wrote to their awslogs streams."""
    client = Client(find_target(state_dir))
    found = find_task(client, cluster, task)
    streams = find_streams(client, found, container)
    show(read_once(client, streams, tail), timestamps, len(streams) > 1)
    while follow:
        (now,) = describe(client, cluster, [found.task_arn or ""])
        show(read_once(client, streams), timestamps, len(streams) > 1)
        if now.last_status == "STOPPED":
            return
        time.sleep(POLL_SECONDS)


def find_streams(client: Client, task: ecs.Task, container: str | None) -> list[Stream]:
    """The streams of the task's containers. Raises click.ClickException if there are none."""
    request = ecs.DescribeTaskDefinitionRequest(task_definition=task.task_definition_arn or "")
    definition = client.ecs("DescribeTaskDefinition", request, ecs.DescribeTaskDefinitionResponse).task_definition
    assert definition is not None, "a task's definition is kept"
    containers = definition.container_definitions or ()
    names = [c.name or "" for c in containers]
    if container is not None and container not in names:
        raise click.ClickException(f"the task has no container `{container}`; it has {', '.join(names)}")
    streams = []
    for position, c in enumerate(containers):
        log = c.log_configuration
        if log is None or log.log_driver != "awslogs" or container not in (None, c.name):
            continue
        options = log.options or {}
        prefix = options.get("awslogs-stream-prefix")
        name = f"{prefix}/{c.name}/{task_id(task)}" if prefix else f"{c.name}/{task_id(task)}"
        colour = COLOURS[position % len(COLOURS)]
        streams.append(Stream(c.name or "", options.get("awslogs-group", ""), name, colour))
    if not streams:
        raise click.ClickException(
            "no container of this task has an awslogs logConfiguration, so its output was not kept (as on Fargate)"
        )
    return streams


@dataclass(frozen=True, slots=True)
class Line:
    """One event of one stream."""

    timestamp_ms: int
    stream: Stream
    message: str


def read_once(client: Client, streams: list[Stream], tail: int | None = None) -> list[Line]:
    """What is new in the streams, by time."""
    lines = [line for stream in streams for line in (_tail(client, stream, tail) if tail else _rest(client, stream))]
    if tail == 0:
        lines = []
    return sorted(lines, key=lambda line: line.timestamp_ms)


def _tail(client: Client, stream: Stream, count: int) -> list[Line]:
    events, stream.token = _page(client, stream, limit=min(count, 10_000), from_head=False)
    return events


def _rest(client: Client, stream: Stream) -> Iterator[Line]:
    while True:
        before = stream.token
        lines, stream.token = _page(client, stream, limit=10_000, from_head=True)
        yield from lines
        if not lines or stream.token == before:
            return


def _page(client: Client, stream: Stream, *, limit: int, from_head: bool) -> tuple[list[Line], str | None]:
    request = logs.GetLogEventsRequest(
        log_group_name=stream.group,
        log_stream_name=stream.name,
        next_token=stream.token,
        limit=limit,
        start_from_head=from_head,
    )
    try:
        answer = client.logs("GetLogEvents", request, logs.GetLogEventsResponse)
    except ApiError as error:
        if error.code == "ResourceNotFoundException":
            return [], stream.token  # the container has not been started yet
        raise
    lines = [Line(event.timestamp or 0, stream, event.message or "") for event in answer.events or ()]
    return lines, answer.next_forward_token


def show(lines: list[Line], timestamps: bool, with_container: bool) -> None:
    """Print lines, each container's in its colour."""
    for line in lines:
        prefix = click.style(f"{line.stream.container} | ", fg=line.stream.colour) if with_container else ""
        if timestamps:
            when = datetime.fromtimestamp(line.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
            prefix += f"{when.replace('+00:00', 'Z')} "
        click.echo(prefix + line.message)
