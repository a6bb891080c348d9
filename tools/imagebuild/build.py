"""From a recipe to an OCI archive in the cache; the second time it is only looked up."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from pathlib import Path

from devkit.steps import Terminal
from imagebuild.archive import write_archive, write_layer
from imagebuild.recipe import Recipe, read_recipe
from imagebuild.rootfs import Host, make_rootfs

BUILDER_VERSION = 1
"""Part of the cache key: raise it when the same recipe comes to make a different image."""

DEFAULT_EPOCH = 1_704_067_200
"""No file of an image is younger (2024-01-01), unless SOURCE_DATE_EPOCH says otherwise."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def build(recipe_path: Path, cache: Path, terminal: Terminal, *, force: bool = False) -> Path:
    """
    The OCI archive of a recipe, built if the cache hasn't got it.

    force: build anew, e.g. for the security updates since. Raises BadRecipe and StepFailed.
    """
    recipe = read_recipe(recipe_path)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", DEFAULT_EPOCH))
    suite = recipe.suite or platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    key = cache_key(recipe, suite, platform.machine(), epoch)
    archive = cache / "images" / f"{recipe.name}-{key}.oci.tar"
    if archive.exists() and not force:
        terminal.say(f"image {recipe.name}: in the cache")
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=archive.parent) as directory:
        _build_in(Path(directory), recipe, archive, cache / "dev", epoch, terminal)
    return archive


def cache_key(recipe: Recipe, suite: str, machine: str, epoch: int) -> str:
    """Changes whenever the recipe, a file that it copies in, the distribution or the builder does."""
    digest = hashlib.sha256()
    for part in (str(BUILDER_VERSION), suite, machine, str(epoch), recipe.path.read_text()):
        digest.update(f"{len(part)}:{part}".encode())
    for file in recipe.files:
        digest.update(f"{file.target}:{file.mode}:{hashlib.sha256(file.source.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()[:16]


def _build_in(directory: Path, recipe: Recipe, archive: Path, logs: Path, epoch: int, terminal: Terminal) -> None:
    """Everything that is half done lives in `directory`; the archive appears whole or not at all."""
    root = directory / "root"
    make_rootfs(recipe, Host.detect(recipe.suite), root, logs, epoch, terminal)
    terminal.say(f"image {recipe.name}: packing")
    layer, diff_id = write_layer(root, directory / "layer.tar.gz", epoch)
    shutil.rmtree(root)
    write_archive(
        directory / "image.tar",
        layer,
        diff_id,
        recipe.config,
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        name=f"{recipe.name}:latest",
        epoch=epoch,
    )
    (directory / "image.tar").replace(archive)
    terminal.say(f"image {recipe.name}: {archive.stat().st_size / 1e6:.0f} MB")
