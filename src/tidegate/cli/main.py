"""The `tidegate` command: a group whose commands are imported only when they are called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from tidegate import __version__

COMMANDS = {
    "server": "Run the server in the foreground.",
    "env": "Print the exports that point boto3 and the aws CLI at a server.",
    "run": "Run an image as a task.",
    "ps": "List tasks.",
    "describe": "Show a task, and where the time of its launch went.",
    "why": "Explain what happened to a task, and what to do about it.",
    "exec": "Run a shell or a command in a running container.",
    "forward": "Lead ports of this machine to ports of a task.",
    "cp": "Copy files out of a container, or into it.",
    "logs": "Show what a task's containers wrote.",
    "stop": "Stop tasks.",
    "images": "List the images that are here.",
    "image": "Import, pull, export and remove images.",
    "rotate-key": "Replace the master key that secrets are sealed with.",
    "doctor": "Say what this host can do, and how to mend what it can't.",
    "teardown": "Stop all tasks of a server and remove what it made on this host.",
    "completion": "Print the completion script for a shell.",
}


class LazyGroup(click.Group):
    """Finds a command in the module of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a new user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tidegate.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Suggest what was probably meant."""
        if args and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"There is no command `{args[0]}`.{hint} See `tidegate --help`.", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tidegate")
def main() -> None:
    """Tidegate runs containers without servers to manage, on your own machines, and speaks the AWS APIs.

    A server is found by --state-dir (or TIDEGATE_STATE_DIR, default /var/lib/tidegate); with AWS_ENDPOINT_URL and
    AWS keys in the environment, by those.
    """
