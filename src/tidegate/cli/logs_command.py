"""`tidegate logs`: what a task's containers wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from tidegate.cli.client import Client
from tidegate.cli.complete import complete_containers, complete_tasks
from tidegate.cli.duration import Duration
from tidegate.cli.log_streams import Choice, Line, find_streams, read_first, read_on
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import describe, find_task
from tidegate.services.logs.patterns.pattern import read_pattern
from tidegate.services.logs.patterns.reader import InvalidPattern

POLL_SECONDS = 0.1
"""Between two looks at what is new, and at whether the task has stopped: what is written is shown within 0.2 s."""


@click.command("logs")
@state_option
@click.argument("task", shell_complete=complete_tasks(include_stopped=True))
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option("-c", "--container", shell_complete=complete_containers, help="Of this container only.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task stops.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="Begin with the last N lines of each container.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was written.")
@click.option("--since", type=Duration(), help="Begin so long ago: 90s, 30m, 12h or 3d.")
@click.option("--filter", "pattern", metavar="PATTERN", help="Lines that match a CloudWatch filter pattern.")
def command(
    state_dir: Path | None,
    task: str,
    cluster: str,
    container: str | None,
    follow: bool,
    tail: int | None,
    timestamps: bool,
    since: float | None,
    pattern: str | None,
) -> None:
    """
    Show what TASK's containers wrote to their awslogs streams.

    \b
    tidegate logs -f web
    tidegate logs web --since 10m --filter 'ERROR -timeout'
    tidegate logs web --filter '{ $.level = "error" && $.status >= 500 }'
    """
    since_ms = None if since is None else int((time.time() - since) * 1000)
    choice = Choice(since_ms, _matcher(pattern), tail)
    client = Client(find_target(state_dir))
    found = find_task(client, cluster, task)
    streams = find_streams(client, found, container)
    has_many = len(streams) > 1
    show(read_first(client, streams, choice), timestamps=timestamps, with_container=has_many)
    while follow:
        (now,) = describe(client, cluster, [found.task_arn or ""])
        show(read_on(client, streams, choice), timestamps=timestamps, with_container=has_many)
        if now.last_status == "STOPPED":
            return
        time.sleep(POLL_SECONDS)


def _matcher(pattern: str | None) -> Callable[[str], bool] | None:
    if pattern is None:
        return None
    try:
        return read_pattern(pattern).matches
    except InvalidPattern as error:
        raise click.BadParameter(str(error), param_hint="--filter") from None


def show(lines: Iterable[Line], *, timestamps: bool, with_container: bool) -> None:
    """Print lines, each container's in its colour."""
    for line in lines:
        prefix = click.style(f"{line.stream.container} | ", fg=line.stream.colour) if with_container else ""
        if timestamps:
            when = datetime.fromtimestamp(line.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
            prefix += f"{when.replace('+00:00', 'Z')} "
        click.echo(prefix + line.message.removesuffix("\n"))
