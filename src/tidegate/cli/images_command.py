"""`tidegate images`: the images that are here."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.table import Table

from tidegate.api import tidegate
from tidegate.cli.client import Client
from tidegate.cli.console import show
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import ago


@click.command("images")
@state_option
@click.option("-q", "--quiet", is_flag=True, help="References only.")
def command(state_dir: Path | None, quiet: bool) -> None:
    """List the images that are here, newest first.

    \b
    tidegate images
    tidegate images -q
    """
    client = Client(find_target(state_dir))
    answer = client.tidegate("ListImages", tidegate.ListImagesRequest(), tidegate.ListImagesResponse)
    images = answer.images or ()
    if quiet:
        for image in images:
            for reference in image.references or ():
                click.echo(reference)
        return
    if not images:
        click.echo("No images. Import one: tidegate image import FILE --tag NAME")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("REFERENCE", "DIGEST", "ARCHITECTURE", "SIZE", "AGE"):
        table.add_column(name, overflow="fold")
    for image in images:
        table.add_row(
            "\n".join(image.references or ("<none>",)),
            (image.digest or "").removeprefix("sha256:")[:12],
            image.architecture,
            f"{(image.size_bytes or 0) / 1e6:.1f} MB",
            ago(time.time() - (image.created_at or time.time())),
        )
    show(table)
