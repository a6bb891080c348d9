"""`tidegate image`: import, pull, export and remove images."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.status import Status

from tidegate.api import tidegate
from tidegate.cli.client import Client
from tidegate.cli.target import find_target, state_option


@click.group("image")
def command() -> None:
    """Import, pull, export and remove images."""


@command.command("import")
@state_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tag", required=True, metavar="NAME", help="What to call the image, e.g. app:1.")
def import_image(state_dir: Path | None, file: Path, tag: str) -> None:
    """Take in FILE: an OCI archive, a docker archive, or the tar of a root file system.

    The server reads the file itself, so it must be on the server's machine.

    \b
    docker save app:1 -o app.tar && tidegate image import app.tar --tag app:1
    """
    request = tidegate.ImportImageRequest(path=str(file.absolute()), reference=tag)
    with _busy(f"importing {file.name}"):
        client = Client(find_target(state_dir))
        answer = client.tidegate("ImportImage", request, tidegate.ImportImageResponse)
    _say(answer.image)


@command.command("pull")
@state_option
@click.argument("reference")
def pull(state_dir: Path | None, reference: str) -> None:
    """Fetch REFERENCE from its registry, with the credentials of docker's configuration.

    \b
    tidegate image pull nginx:latest
    """
    with _busy(f"pulling {reference}"):
        client = Client(find_target(state_dir))
        answer = client.tidegate(
            "PullImage", tidegate.PullImageRequest(reference=reference), tidegate.PullImageResponse
        )
    _say(answer.image)


@command.command("export")
@state_option
@click.argument("reference")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", "kind", type=click.Choice(["OCI", "DOCKER"], case_sensitive=False), default="OCI")
def export(state_dir: Path | None, reference: str, file: Path, kind: tidegate.ArchiveFormat) -> None:
    """Write REFERENCE to FILE, as an archive that docker, podman and skopeo can load.

    \b
    tidegate image export app:1 app.tar
    """
    request = tidegate.ExportImageRequest(reference=reference, path=str(file.absolute()), format=kind)
    with _busy(f"exporting {reference}"):
        Client(find_target(state_dir)).tidegate("ExportImage", request, tidegate.ExportImageResponse)
    click.echo(str(file))


@command.command("rm")
@state_option
@click.argument("references", nargs=-1, required=True, metavar="REFERENCE...")
def remove(state_dir: Path | None, references: tuple[str, ...]) -> None:
    """Forget images; `tidegate image prune` frees their space."""
    client = Client(find_target(state_dir))
    for reference in references:
        request = tidegate.RemoveImageRequest(reference=reference)
        client.tidegate("RemoveImage", request, tidegate.RemoveImageResponse)
        click.echo(reference)


@command.command("prune")
@state_option
def prune(state_dir: Path | None) -> None:
    """Delete the layers that no image and no task uses."""
    client = Client(find_target(state_dir))
    answer = client.tidegate("CollectGarbage", tidegate.CollectGarbageRequest(), tidegate.CollectGarbageResponse)
    click.echo(f"{(answer.freed_bytes or 0) / 1e6:.1f} MB freed")


def _busy(what: str) -> Status:
    return Console(stderr=True).status(what)


def _say(image: tidegate.ImageSummary | None) -> None:
    assert image is not None, "the server answers with the image"
    click.echo(f"{', '.join(image.references or ())}  {image.digest}  {(image.size_bytes or 0) / 1e6:.1f} MB")
