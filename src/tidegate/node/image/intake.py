"""
What comes into the store, from a registry or an archive: blobs taken over, layers unpacked once, the image entered
last.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

from tidegate.kernel import failpoint
from tidegate.model.image import ImageConfig
from tidegate.node.image.blobs import Blobs
from tidegate.node.image.budget import Limits
from tidegate.node.image.catalog import Catalog, ImageRecord, LayerRecord
from tidegate.node.image.document import digest_of
from tidegate.node.image.imageconfig import OCI_CONFIG, parse_config, render_config
from tidegate.node.image.images import ImageCorrupt, ImageNoSpace
from tidegate.node.image.layers import FormatName, LayerDirectory, remove_tree
from tidegate.node.image.manifest import Descriptor, Manifest, encode, index_digests, parse_manifest, wrong_platform
from tidegate.node.image.workers import Unpackers

_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


class Intake:
    """
    `pins` of a caller are digests of blobs and layers that garbage collection must leave alone while it works.

    Between looking a digest up and pinning it nothing is awaited, so nothing can be collected in between.
    """

    def __init__(
        self,
        directory: Path,
        catalog: Catalog,
        blobs: Blobs,
        layers: LayerDirectory,
        unpackers: Unpackers,
        layer_format: FormatName,
        limits: Limits,
    ) -> None:
        self._staging = directory / "staging"
        self._catalog = catalog
        self._blobs = blobs
        self._layers = layers
        self._unpackers = unpackers
        self._format = layer_format
        self._limits = limits
        self._locks: dict[str, anyio.Lock] = {}
        self._entering = anyio.Lock()
        self._saving = anyio.Lock()
        self._pins: list[set[str]] = []

    def open(self) -> None:
        """
        Drop what was half done.

        It is moved away first: a child that outlived its server may still write to it, and what it wrote in between
        goes at the next start.
        """
        if self._staging.exists():
            self._staging.rename(self._staging.with_name(f"dropped-{secrets.token_hex(8)}"))
        self._staging.mkdir(mode=0o700)
        for dropped in self._staging.parent.glob("dropped-*"):
            remove_tree(dropped)

    @property
    def pinned(self) -> set[str]:
        """Digests that are being worked with."""
        return set().union(*self._pins)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[tuple[Path, set[str]]]:
        """A directory for what is not finished, and pins. Idle processes end with the last of those who work."""
        # Never a name that was used before a restart: a child that outlived its server may still write to it.
        stage = self._staging / secrets.token_hex(8)
        stage.mkdir(mode=0o700)
        pins: set[str] = set()
        self._pins.append(pins)
        try:
            yield stage, pins
        finally:
            # By identity: two sets of pins may be equal.
            self._pins = [other for other in self._pins if other is not pins]
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(remove_tree, stage)
                if not self._pins:
                    await self._unpackers.close_idle()

    async def unpack(self, digest: str, stage: Path, pins: set[str]) -> None:
        """Have the layer of a packed blob here. Raises ImageError."""
        lock = self._locks.setdefault(digest, anyio.Lock())
        async with lock:
            diff_id = self._catalog.contents.unpacked.get(digest)
            if diff_id is not None and diff_id in self._catalog.contents.layers:
                pins.add(diff_id)
                return
            target = stage / f"unpacked-{digest.removeprefix('sha256:')}"
            await failpoint.reach("image.unpack")
            try:
                answer = await self._unpackers.unpack(self._blobs.path(digest), target)
            except ImageCorrupt:
                # Else no later pull would fetch it again.
                self._blobs.remove(digest)
                raise
            await self.enter_layer(answer, digest, target, pins)
        self._locks.pop(digest, None)

    async def enter_layer(self, answer: dict[str, Any], digest: str, content: Path, pins: set[str]) -> str:
        """Keep what a process unpacked, unless another image has brought the same. Its DiffID."""
        diff_id = str(answer["diff_id"])
        pins.add(diff_id)
        held = self._catalog.contents
        async with self._entering:
            if diff_id not in held.layers:
                await anyio.to_thread.run_sync(self._layers.put, diff_id, content)
                held.layers[diff_id] = self._layer_record(answer)
        held.unpacked[digest] = diff_id
        return diff_id

    async def enter_image(
        self, reference: str, digest: str | None, manifest_digest: str, architecture: str | None, pins: set[str]
    ) -> ImageRecord:
        """
        All blobs and layers are here: check that they fit together, and let `reference` lead to them.

        `digest`: the registry's own; None: that of the manifest kept here. Raises ImageError.
        """
        pins.add(manifest_digest)
        manifest = parse_manifest(self._blobs.read(manifest_digest))
        pins.add(manifest.config.digest)
        config, diff_ids = parse_config(self._blobs.read(manifest.config.digest))
        held = self._catalog.contents
        found = tuple(held.unpacked[layer.digest] for layer in manifest.layers)
        if found != diff_ids:
            raise ImageCorrupt("cannot use the image: its layers are not those that its configuration names")
        self._check_size(diff_ids)
        if architecture is not None and config.architecture != architecture:
            raise wrong_platform(architecture)
        record = ImageRecord(
            digest=digest or manifest_digest,
            manifest=manifest_digest,
            config=config,
            layers=diff_ids,
            blobs=tuple(
                dict.fromkeys([manifest_digest, manifest.config.digest, *(layer.digest for layer in manifest.layers)])
            ),
            created_at=time.time(),
            packed_bytes=sum(layer.size for layer in manifest.layers),
        )
        self._catalog.name_image(reference, record)
        await self.save()
        return record

    async def take_rootfs(self, source: Path, config: ImageConfig, stage: Path, pins: set[str]) -> str:
        """A root file system tar as an image of one layer; the digest of its manifest. Raises ImageError, OSError."""
        blob, content = stage / "blob", stage / "content"
        answer = await self._unpackers.take_in(source, blob, content)
        digest = str(answer["digest"])
        pins.add(digest)
        await anyio.to_thread.run_sync(self._blobs.adopt, blob, digest)
        diff_id = await self.enter_layer(answer, digest, content, pins)
        layer = Descriptor(digest=digest, size=int(answer["size"]), media_type=f"{_OCI_LAYER}+{answer['packing']}")
        return await anyio.to_thread.run_sync(self._put_image, config, diff_id, layer, pins)

    def _put_image(self, config: ImageConfig, diff_id: str, layer: Descriptor, pins: set[str]) -> str:
        """Write configuration and manifest over a layer; the manifest's digest."""
        raw = render_config(config, [diff_id])
        pins.add(digest_of(raw))
        described = Descriptor(digest=self._blobs.put(raw), size=len(raw), media_type=OCI_CONFIG)
        manifest = encode(Manifest(schema_version=2, config=described, layers=(layer,)))
        pins.add(digest_of(manifest))
        return self._blobs.put(manifest)

    async def save(self) -> None:
        """Write the index; the last to ask writes what all have changed. Raises OSError."""
        async with self._saving:
            await failpoint.reach("image.enter")
            await anyio.to_thread.run_sync(self._catalog.write, self._catalog.encode())

    async def repair(self, diff_id: str) -> None:
        """Unpack a layer again whose content is gone or can't be read. Raises ImageError, OSError."""
        held = self._catalog.contents
        digest = next((digest for digest, unpacked in held.unpacked.items() if unpacked == diff_id), None)
        if digest is None or not self._blobs.has(digest):
            raise ImageCorrupt(f"cannot read layer {diff_id}, nor unpack it again: its archive is gone")
        async with self.work() as (stage, pins):
            pins |= {digest, diff_id}
            answer = await self._unpackers.unpack(self._blobs.path(digest), stage / "content")
            if answer["diff_id"] != diff_id:
                raise ImageCorrupt(f"cannot use layer {diff_id}: its archive has changed")
            async with self._entering:
                await anyio.to_thread.run_sync(self._layers.put, diff_id, stage / "content")
                held.layers[diff_id] = self._layer_record(answer)
            await self.save()

    def discard(self, layers: dict[str, LayerRecord], blobs: frozenset[str], packed: set[str]) -> Path:
        """
        Detach what the index no longer names and move it to a directory that can be deleted. Raises OSError.

        What has come back since it was forgotten stays. `packed`: which blobs are layers.
        """
        held, pinned = self._catalog.contents, self.pinned
        aside = self._staging / f"garbage-{secrets.token_hex(8)}"
        aside.mkdir()
        needed = pinned | {blob for image in held.images.values() for blob in image.blobs}
        for diff_id, layer in layers.items():
            self._layers.detach(layer.number, layer.format)
            if diff_id not in held.layers and diff_id not in pinned:
                self._layers.take_out(diff_id, aside / diff_id)
        doomed = blobs - needed
        if self._pins:
            # A download finds out only at its end which small blobs it has brought; its layers are pinned.
            doomed &= packed
        for digest in doomed:
            with suppress(FileNotFoundError):
                self._blobs.path(digest).rename(aside / f"blob-{digest}")
        return aside

    def _layer_record(self, answer: dict[str, Any]) -> LayerRecord:
        return LayerRecord(
            number=self._catalog.new_number(),
            format=self._format,
            bytes=int(answer["bytes"]),
            entries=int(answer["entries"]),
        )

    def _check_size(self, layers: tuple[str, ...]) -> None:
        records = [self._catalog.contents.layers[diff_id] for diff_id in layers]
        size, entries = sum(record.bytes for record in records), sum(record.entries for record in records)
        if size > self._limits.image_bytes:
            raise ImageNoSpace(
                f"cannot use the image: it unpacks to {size >> 20} MiB, more than the largest disk of a task: "
                "no space left on device"
            )
        if entries > self._limits.image_entries:
            raise ImageCorrupt(f"cannot use the image: it has {entries} files, more than {self._limits.image_entries}")


def read_layout(layout: Path) -> str:
    """The digest of the one image in an OCI layout that skopeo wrote. Raises ImageCorrupt, OSError."""
    digests = index_digests((layout / "index.json").read_bytes())
    if len(digests) != 1:
        raise ImageCorrupt(f"cannot read the image: its layout holds {len(digests)} images")
    return digests[0]
