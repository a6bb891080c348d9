"""`tidegate env`: exports for boto3 and the aws CLI."""

from __future__ import annotations

import getpass
import re
import shlex
from pathlib import Path

import click

from tidegate.api import iam, sts
from tidegate.cli.query import call_query
from tidegate.cli.target import Target, read_target, state_option
from tidegate.server.statedir import DEFAULT_STATE_DIRECTORY


@click.command("env")
@state_option
@click.option("--role", metavar="ROLE", help="Be this role, by ARN or name, for an hour, instead of the root.")
@click.option("--unset", is_flag=True, help="Print what takes the exports back.")
def command(state_dir: Path | None, role: str | None, unset: bool) -> None:
    """Print the exports that make boto3, the aws CLI and Terraform work with this server as they are.

    \b
    Use it as:  eval "$(tidegate env --state-dir DIR)"

    The output holds a secret key: don't keep it in files that others can read. With --role its keys are those of
    AssumeRole, which the role's trust policy must allow to this account.
    """
    target = read_target(state_dir or DEFAULT_STATE_DIRECTORY)
    exports = {
        "AWS_ENDPOINT_URL": target.endpoint,
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_ACCESS_KEY_ID": target.access_key,
        "AWS_SECRET_ACCESS_KEY": target.secret_key,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # StartLiveTail would go to a host of its own, stream-<this one>
    }
    if unset:
        for name in (*exports, "AWS_SESSION_TOKEN"):
            click.echo(f"unset {name}")
        return
    if role is not None:
        exports |= _assume(target, role)
    for name, value in exports.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if role is None:
        click.echo("unset AWS_SESSION_TOKEN")


def _assume(target: Target, role: str) -> dict[str, str]:
    """The variables of a session of the role, which is named for whoever runs this."""
    arn = role if role.startswith("arn:") else _find_arn(target, role)
    session = re.sub(r"[^\w+=,.@-]", "-", f"tidegate-{getpass.getuser()}", flags=re.ASCII)[:64]
    try:
        answer = call_query(target, sts, "AssumeRole", {"RoleArn": arn, "RoleSessionName": session})
    except click.ClickException as error:
        if "AccessDenied" not in error.message:
            raise
        raise click.ClickException(
            f"{error.message}. Its trust policy has to name this account as an AWS principal; change it with "
            "`aws iam update-assume-role-policy`"
        ) from error
    return {
        "AWS_ACCESS_KEY_ID": answer.findtext(".//AccessKeyId", ""),
        "AWS_SECRET_ACCESS_KEY": answer.findtext(".//SecretAccessKey", ""),
        "AWS_SESSION_TOKEN": answer.findtext(".//SessionToken", ""),
    }


def _find_arn(target: Target, name: str) -> str:
    return call_query(target, iam, "GetRole", {"RoleName": name}).findtext(".//Arn", "")
