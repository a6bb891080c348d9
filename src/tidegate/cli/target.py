"""Which server a command talks to, and as whom."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from tidegate.server.statedir import DEFAULT_STATE_DIRECTORY, StateDirectory, StateUnreadable

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address and a key to sign with."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str
    session_token: str | None = None
    """Of temporary credentials."""


def state_option(function: F) -> F:
    """The --state-dir option that every command has."""
    return click.option(
        "--state-dir",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="TIDEGATE_STATE_DIR",
        default=None,
        help=f"The server's state directory. [default: {DEFAULT_STATE_DIRECTORY}]",
    )(function)


def find_target(state_dir: Path | None, environment: Mapping[str, str] = os.environ) -> Target:
    """
    The server of `state_dir`; without one, what the AWS variables name; else the default state directory.

    AWS variables that name that same server say as whom: whoever took on a role by `tidegate env --role` has it here as
    well. Raises click.ClickException with the remedy.
    """
    named = _from_environment(environment)
    if state_dir is None and named is not None:
        return named
    target = read_target(state_dir or DEFAULT_STATE_DIRECTORY)
    return named if named is not None and named.endpoint == target.endpoint else target


def read_target(state_dir: Path) -> Target:
    """The server that owns (or last owned) `state_dir`."""
    try:
        identity = StateDirectory(state_dir).read_identity()
    except StateUnreadable as error:
        raise click.ClickException(str(error)) from error
    return Target(identity.endpoint, identity.region, identity.access_key, identity.secret_key)


def _from_environment(environment: Mapping[str, str]) -> Target | None:
    endpoint = environment.get("AWS_ENDPOINT_URL")
    access_key = environment.get("AWS_ACCESS_KEY_ID")
    secret_key = environment.get("AWS_SECRET_ACCESS_KEY")
    if not (endpoint and access_key and secret_key):
        return None
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    return Target(endpoint, region, access_key, secret_key, environment.get("AWS_SESSION_TOKEN") or None)
