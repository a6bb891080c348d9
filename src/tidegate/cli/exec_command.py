"""`tidegate exec`: a shell, or any command, in a container that runs."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import anyio
import click

from tidegate.api import tidegate
from tidegate.cli.client import Client
from tidegate.cli.complete import complete_containers, complete_tasks
from tidegate.cli.remote_command import OutputClosed, RemoteCommand
from tidegate.cli.target import Target, find_target, state_option
from tidegate.cli.tasks import find_task
from tidegate.cli.terminal import is_terminal, raw_terminal, read_size
from tidegate.cli.websocket import open_session

INTERRUPTED = 130
NO_READER = 141
"""As a shell calls the end by Ctrl-C, and that of a command whose output nobody reads: 128 + the signal."""


@click.command("exec")
@state_option
@click.argument("task", shell_complete=complete_tasks(include_stopped=False))
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option(
    "-c",
    "--container",
    shell_complete=complete_containers,
    help="In this container; needed when the task has more than one.",
)
@click.option("-u", "--user", help="As this user: USER[:GROUP]. [default: root]")
@click.option("-w", "--workdir", help="In this directory. [default: the container's]")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set an environment variable.")
@click.option("-i/-I", "--interactive/--no-interactive", default=True, show_default=True, help="Pass on our input.")
@click.option("-t/-T", "--tty/--no-tty", default=None, help="With a terminal. [default: if we have one]")
def command(
    state_dir: Path | None,
    task: str,
    words: tuple[str, ...],
    cluster: str,
    container: str | None,
    user: str | None,
    workdir: str | None,
    env: tuple[str, ...],
    interactive: bool,
    tty: bool | None,
) -> None:
    """Run COMMAND (a shell, if none is given) in a running container of TASK, and exit with its code.

    Nothing is needed in the image: one without a shell is given one for as long as the session lasts.

    \b
    tidegate exec TASK
    tidegate exec TASK -c web -u www-data -- env
    tidegate exec TASK -c db -- pg_dump shop | gzip > shop.sql.gz
    """
    target = find_target(state_dir)
    client = Client(target)
    found = find_task(client, cluster, task)
    has_terminal = is_terminal() and interactive if tty is None else tty
    request = tidegate.StartExecRequest(
        cluster=cluster,
        task=found.task_arn or "",
        container=container,
        command=words or ("sh",),
        user=user,
        working_directory=workdir,
        environment=plan_environment(env, os.environ.get("TERM") if has_terminal else None),
        terminal=_size() if has_terminal else None,
    )
    session = client.tidegate("StartExec", request, tidegate.StartExecResponse).session
    assert session is not None, "the server answers with a session"
    sys.exit(run_session(target, session, has_terminal=has_terminal, takes_input=interactive))


def run_session(target: Target, session: tidegate.Session, *, has_terminal: bool, takes_input: bool) -> int:
    """Talk to a command until it ends: its exit code."""

    async def talk() -> int:
        async with open_session(target, session) as connection:
            return await RemoteCommand(connection, has_terminal, takes_input).run()

    # What our terminal does with keys is for the remote one to decide, if there is one at either end.
    is_raw = has_terminal and takes_input and os.isatty(sys.stdin.fileno())
    with raw_terminal() if is_raw else nullcontext():
        try:
            return anyio.run(talk)
        except KeyboardInterrupt:
            return INTERRUPTED
        except BaseExceptionGroup as group:
            first = _first(group)
            if isinstance(first, OutputClosed):
                return NO_READER
            raise first from None


def plan_environment(pairs: tuple[str, ...], terminal: str | None) -> dict[str, str] | None:
    """The variables that were asked for, and the kind of terminal. Raises click.UsageError."""
    environment = {"TERM": terminal} if terminal else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise click.UsageError(f"`{pair}` is not NAME=VALUE.")
        environment[name] = value
    return environment or None


def _size() -> tidegate.Terminal:
    size = read_size()
    return tidegate.Terminal(rows=size.rows, columns=size.columns)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
