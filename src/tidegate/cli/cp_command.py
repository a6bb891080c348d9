"""`tidegate cp`: files out of a container that runs, and into it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import click

from tidegate.api import tidegate
from tidegate.channel.stream import Note
from tidegate.cli.client import Client
from tidegate.cli.complete import complete_paths
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import find_task
from tidegate.cli.transfer import Transfer
from tidegate.model.amount import show_bytes

STREAM = "-"


@dataclass(frozen=True, slots=True)
class Remote:
    """A path in a task."""

    task: str
    path: str


@click.command("cp")
@state_option
@click.argument("source", shell_complete=complete_paths)
@click.argument("destination", shell_complete=complete_paths)
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option("-c", "--container", help="Of this container; needed when the task has more than one.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no summary.")
def command(
    state_dir: Path | None, source: str, destination: str, cluster: str, container: str | None, quiet: bool
) -> None:
    """Copy SOURCE to DESTINATION, one of which is TASK:/PATH; nothing is needed in the image, not even tar.

    A directory is copied with all that is in it; into a directory that is there, else as DESTINATION. Modes, times,
    links and (for root) owners are kept. `-` is a tar stream on standard input or output.

    \b
    tidegate cp TASK:/var/log/app ./logs
    tidegate cp app.conf TASK:/etc/app/
    tidegate cp TASK:/srv - | tar -t
    """
    there, here, is_out = plan_copy(source, destination)
    target = find_target(state_dir)
    client = Client(target)
    task = find_task(client, cluster, there.task)
    request = tidegate.StartCopyRequest(
        cluster=cluster,
        task=task.task_arn or "",
        container=container,
        direction="OUT" if is_out else "IN",
        path=there.path,
        into_directory=None if is_out else here == STREAM,
    )
    if not is_out and here != STREAM and not os.path.lexists(here):
        raise click.ClickException(f"cannot copy {here}: No such file or directory")
    session = client.tidegate("StartCopy", request, tidegate.StartCopyResponse).session
    assert session is not None, "the server answers with a session"
    transfer = Transfer(target, session, is_shown=not quiet and sys.stderr.isatty())
    done = anyio.run(transfer.fetch if is_out else transfer.bring, None if here == STREAM else Path(here))
    for text in done.skipped:
        click.echo(f"left out: {text}", err=True)
    if not quiet:
        click.echo(summary(done), err=True)


def plan_copy(source: str, destination: str) -> tuple[Remote, str, bool]:
    """(the remote side, the local side, whether the copy goes out of the task). Raises click.UsageError."""
    there, here = parse_remote(source), parse_remote(destination)
    if (there is None) == (here is None):
        raise click.UsageError("One of SOURCE and DESTINATION must be TASK:/PATH, the other a path here.")
    if there is not None:
        return there, destination, True
    assert here is not None, "one of the two is remote"
    return here, source, False


def parse_remote(text: str) -> Remote | None:
    """TASK:/PATH; anything that begins like a path is one of this machine. An ARN has colons of its own."""
    if text.startswith(("/", ".", "~")) or ":" not in text:
        return None
    task, _, path = text.rpartition(":") if text.startswith("arn:") else text.partition(":")
    if not task or not path.startswith("/"):
        raise click.UsageError(f"`{text}` is not TASK:/PATH: the path must be absolute.")
    return Remote(task, path)


def summary(done: Note) -> str:
    """What was copied."""
    noun = "file" if done.files == 1 else "files"
    return f"copied {done.files} {noun}, {show_bytes(done.size_bytes)}"
