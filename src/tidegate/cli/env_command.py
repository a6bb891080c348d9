"""`tidegate env`: exports for boto3 and the aws CLI."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from tidegate.cli.target import read_target, state_option
from tidegate.server.statedir import DEFAULT_STATE_DIRECTORY


@click.command("env")
@state_option
@click.option("--unset", is_flag=True, help="Print what takes the exports back.")
def command(state_dir: Path | None, unset: bool) -> None:
    """Print the exports that make boto3, the aws CLI and Terraform work with this server as they are.

    \b
    Use it as:  eval "$(tidegate env --state-dir DIR)"

    The output holds a secret key: don't keep it in files that others can read.
    """
    target = read_target(state_dir or DEFAULT_STATE_DIRECTORY)
    exports = {
        "AWS_ENDPOINT_URL": target.endpoint,
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_ACCESS_KEY_ID": target.access_key,
        "AWS_SECRET_ACCESS_KEY": target.secret_key,
    }
    for name, value in exports.items():
        click.echo(f"unset {name}" if unset else f"export {name}={shlex.quote(value)}")
