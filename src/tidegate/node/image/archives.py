"""Images from and to archive files, by skopeo."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

import anyio

from tidegate.node.image.archive import ArchiveKind
from tidegate.node.image.blobs import Blobs
from tidegate.node.image.catalog import ImageRecord
from tidegate.node.image.images import ImageCorrupt, ImageError, ImageNoSpace
from tidegate.node.image.intake import Intake, read_layout
from tidegate.node.image.manifest import OCI_MANIFEST, Descriptor, parse_manifest, render_index
from tidegate.node.image.pullerrors import read_message
from tidegate.node.image.reference import Reference
from tidegate.node.image.skopeo import Skopeo, SkopeoFailed


class Archives:
    """Of one image each."""

    def __init__(self, skopeo: Skopeo, blobs: Blobs, intake: Intake) -> None:
        self._skopeo = skopeo
        self._blobs = blobs
        self._intake = intake

    async def read(self, kind: ArchiveKind, path: Path, stage: Path, pins: set[str]) -> str:
        """Take blobs and layers over; the manifest's digest. Raises ImageError, OSError."""
        # In a place of their own first: what they are is known only when they are here.
        aside = Blobs(stage / "blobs")
        aside.open()
        try:
            await self._skopeo.read_archive(kind, path, stage / "layout", aside.root)
        except SkopeoFailed as failure:
            raise _explain(failure, "import", path.name) from failure
        digest = read_layout(stage / "layout")
        manifest = parse_manifest(aside.read(digest))
        layers = list(dict.fromkeys(layer.digest for layer in manifest.layers))
        for blob in (*layers, manifest.config.digest, digest):
            pins.add(blob)
            if not self._blobs.has(blob):
                await anyio.to_thread.run_sync(self._blobs.adopt, aside.path(blob), blob)
        async with anyio.create_task_group() as group:
            for layer in layers:
                group.start_soon(self._intake.unpack, layer, stage, pins)
        return digest

    async def write(
        self, record: ImageRecord, reference: Reference, path: Path, kind: Literal["oci", "docker"]
    ) -> None:
        """Write the archive beside `path`, then put it there whole. Raises ImageError, OSError."""
        async with self._intake.work() as (stage, pins):
            pins.update(record.blobs)
            layout, made = stage / "layout", stage / "archive"
            layout.mkdir()
            size = self._blobs.path(record.manifest).stat().st_size
            entry = Descriptor(
                digest=record.manifest,
                size=size,
                media_type=OCI_MANIFEST,
                annotations={"org.opencontainers.image.ref.name": "image"},
            )
            (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
            (layout / "index.json").write_bytes(render_index(entry))
            name = f":{reference}" if reference.digest is None else ""
            try:
                await self._skopeo.write_archive(f"{kind}-archive", layout, self._blobs.root, made, name)
            except SkopeoFailed as failure:
                raise _explain(failure, "export", str(reference)) from failure
            await anyio.to_thread.run_sync(_put_in_place, made, path)


def _put_in_place(made: Path, path: Path) -> None:
    aside = path.with_name(f".{path.name}.new")
    try:
        shutil.move(made, aside)
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _explain(failure: SkopeoFailed, verb: str, what: str) -> ImageError:
    message = read_message(str(failure))
    if "no space left on device" in message:
        return ImageNoSpace(f"cannot {verb} {what}: no space left on device")
    return ImageCorrupt(f"cannot {verb} {what}: {message}")
