"""`tidegate completion`: a script for the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  eval "$(tidegate completion bash)"
    """
    found = get_completion_class(shell)
    assert found is not None, "click knows the shells that it lets through"
    click.echo(found(ctx.find_root().command, {}, "tidegate", "_TIDEGATE_COMPLETE").source())
