"""`tidegate teardown`: take away what a server made on this host."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from tidegate.cli.target import state_option
from tidegate.server.statedir import DEFAULT_STATE_DIRECTORY


@click.command("teardown")
@state_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(state_dir: Path | None, yes: bool) -> None:
    """Stop all tasks of a server, end the server, and remove its bridge, firewall, cgroups and mounts.

    The state directory stays: task definitions, images and logs are kept. Delete it when you don't need them.

    \b
    tidegate teardown --state-dir /var/lib/tidegate
    """
    from tidegate.server.config import ConfigError
    from tidegate.server.teardown import teardown

    path = state_dir or DEFAULT_STATE_DIRECTORY
    if not yes:
        click.confirm(f"Stop all tasks of {path}?", abort=True)
    try:
        with Console(stderr=True).status("stopping tasks") as status:
            for line in teardown(path):
                status.update(line)
    except (ConfigError, TimeoutError) as error:
        raise click.ClickException(str(error) or "tasks do not end; try again") from error
    click.echo(f"Nothing of {path} runs any more; its state is kept there.")
