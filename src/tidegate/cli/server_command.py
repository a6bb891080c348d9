"""`tidegate server`: the server in the foreground."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tidegate.cli.duration import Duration
from tidegate.cli.target import state_option
from tidegate.server.statedir import DEFAULT_STATE_DIRECTORY


@click.command("server")
@state_option
@click.option("--listen", default="127.0.0.1:4566", show_default=True, metavar="ADDRESS:PORT")
@click.option("--region", default="us-east-1", show_default=True, help="For a new state directory.")
@click.option("--account-id", default="000000000000", show_default=True, help="For a new state directory.")
@click.option("--vpc-cidr", help="The VPC's range, /16 to /24, for a new state directory. [default: a free /16]")
@click.option("--insecure-no-auth", is_flag=True, help="Accept requests without a signature; on loopback only.")
@click.option("--tasks-may-call-api", is_flag=True, help="Tasks reach this API, as their roles. See the how-to guide.")
@click.option("--insecure-registry", multiple=True, metavar="HOST[:PORT]", help="Pull over plain HTTP from here.")
@click.option(
    "--s3-root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where environment files are, as BUCKET/KEY. [default: s3 in the state directory]",
)
@click.option("--strict-capacity", is_flag=True, help="Reserve what tasks declare, instead of counting what they use.")
@click.option("--strict-iam", is_flag=True, help="Refuse roles that nobody created, instead of making them.")
@click.option(
    "--keep-stopped",
    "keep_stopped_seconds",
    type=Duration(),
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="Show stopped tasks, and what is known of their end, for so long: 12h, 3d.",
)
@click.option("--reserve-memory", type=click.IntRange(min=0), metavar="MIB", help="Keep so much for the host.")
@click.option(
    "--reserve-disk", type=click.IntRange(min=0), metavar="MIB", help="Keep so much of the disk for the host."
)
@click.option("--runtime", type=click.Choice(["auto", "crun", "runc"]), default="auto", show_default=True)
@click.option(
    "--scratch",
    type=click.Choice(["auto", "quota", "loop", "unlimited"]),
    default="auto",
    show_default=True,
    help="How the disks of tasks are limited.",
)
@click.option(
    "--efs-root",
    multiple=True,
    metavar="[fs-ID=]PLACE",
    help="What stands for EFS: a directory or nfs://HOST/EXPORT, of one file system or of all.",
)
@click.option(
    "--efs-access-point",
    multiple=True,
    metavar="fsap-ID=fs-ID:/DIRECTORY[:UID:GID]",
    help="Where an EFS access point leads to; with an owner, the directory is made.",
)
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), default="auto", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Log each request.")
def command(state_dir: Path | None, listen: str, **options: object) -> None:
    """Run the server in the foreground. Ready when GET /health answers 200.

    Its tasks go on when it ends; the next server on the same state directory finds them again.

    \b
    tidegate server --state-dir /var/lib/tidegate
    tidegate server --listen 127.0.0.1:0 --strict-iam --keep-stopped 3d
    """
    from tidegate.server.config import Config, ConfigError
    from tidegate.server.serve import serve

    address, _, port = listen.rpartition(":")
    if not address or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        raise click.BadParameter(f"`{listen}` is not ADDRESS:PORT", param_hint="--listen")
    try:
        config = Config(
            state_directory=state_dir or DEFAULT_STATE_DIRECTORY,
            address=address.strip("[]"),
            port=int(port),
            **options,  # type: ignore[arg-type]
        )
        serve(config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
