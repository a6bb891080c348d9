"""The log streams of a task's containers, and reading on in them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from tidegate.api import ecs, logs
from tidegate.cli.client import ApiError, Client
from tidegate.cli.tasks import task_id

PAGE_EVENTS = 10_000
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_red")


@dataclass(slots=True)
class Stream:
    """The log stream of one container, and how far it was read."""

    container: str
    group: str
    name: str
    colour: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One event of one stream."""

    timestamp_ms: int
    stream: Stream
    message: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Which lines are wanted: from when on, those that match, and of what is there at first the last ones."""

    since_ms: int | None = None
    matches: Callable[[str], bool] | None = None
    tail: int | None = None


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
        raise click.ClickException(_why_none(containers, container))
    return streams


def _why_none(containers: tuple[ecs.ContainerDefinition, ...], container: str | None) -> str:
    router = next((c.name for c in containers if c.firelens_configuration is not None), None)
    wanted = [c for c in containers if container in (None, c.name)]
    if router and any(c.log_configuration and c.log_configuration.log_driver == "awsfirelens" for c in wanted):
        return f"its output goes to the task's log router; what that says, if it is kept: -c {router}"
    return "no container of this task has an awslogs logConfiguration, so its output was not kept (as on Fargate)"


def read_first(client: Client, streams: list[Stream], choice: Choice) -> Iterator[Line]:
    """What is there, by time; `read_on` goes on from there."""
    if choice.tail is None:
        return read_on(client, streams, choice)
    return _by_time([_last(client, stream, choice, choice.tail) for stream in streams])


def read_on(client: Client, streams: list[Stream], choice: Choice) -> Iterator[Line]:
    """What is new in the streams, by time; held in memory is a page of each."""
    return _by_time([_rest(client, stream, choice) for stream in streams])


def _by_time(lines: list[Iterator[Line]]) -> Iterator[Line]:
    return heapq.merge(*lines, key=lambda line: line.timestamp_ms)


def _last(client: Client, stream: Stream, choice: Choice, count: int) -> Iterator[Line]:
    if choice.matches is not None:
        return iter(deque(_rest(client, stream, choice), maxlen=count))
    lines, stream.token = _page(client, stream, choice, limit=min(max(count, 1), PAGE_EVENTS), from_head=False)
    return iter(lines[len(lines) - min(count, len(lines)) :])


def _rest(client: Client, stream: Stream, choice: Choice) -> Iterator[Line]:
    while True:
        before = stream.token
        lines, stream.token = _page(client, stream, choice, limit=PAGE_EVENTS, from_head=True)
        yield from lines if choice.matches is None else (line for line in lines if choice.matches(line.message))
        if not lines or stream.token == before:
            return


def _page(
    client: Client, stream: Stream, choice: Choice, *, limit: int, from_head: bool
) -> tuple[list[Line], str | None]:
    request = logs.GetLogEventsRequest(
        log_group_name=stream.group,
        log_stream_name=stream.name,
        start_time=choice.since_ms,
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
