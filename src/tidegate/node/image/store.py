"""
The image store of this host. See `images` for the contract.

Under its directory: `index.json` (what there is), `blobs/` (as they came: for exports, repairs and VMs), `layers/`
(unpacked), `l/` (layers attached), `staging/` (not finished: emptied at the start). A layer or blob gets its name when
it is whole and on the disk, and the index names it after that; so a crash costs what was under way and nothing else.
"""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio

from tidegate.kernel import failpoint
from tidegate.model.execution import RegistryLogin
from tidegate.model.image import Image, ImageConfig
from tidegate.node.image.archive import find_archive_kind
from tidegate.node.image.archives import Archives
from tidegate.node.image.blobs import Blobs
from tidegate.node.image.budget import DiskRoom, Limits
from tidegate.node.image.catalog import Catalog
from tidegate.node.image.failures import image_errors
from tidegate.node.image.flights import Flights
from tidegate.node.image.garbage import find_garbage
from tidegate.node.image.images import ImageError, ImageNotFound, ImageUnreachable, Progress
from tidegate.node.image.intake import Intake
from tidegate.node.image.layers import FormatName, LayerDirectory, UnreadableLayer, find_format, remove_tree
from tidegate.node.image.manifest import wrong_platform
from tidegate.node.image.pull import Puller
from tidegate.node.image.pullbudget import PullBudget
from tidegate.node.image.reference import parse_reference
from tidegate.node.image.rootfs import delete_written, mount_overlay, unmount_overlay
from tidegate.node.image.skopeo import RegistryOptions, Skopeo
from tidegate.node.image.workers import Unpackers


class ImageStore:
    """
    Implements Images. Needs root (mounts, owners), and skopeo for everything but root file system tars.

    One server to a directory: `open` refuses a second. `layer_format` None takes what the host can do best.
    """

    def __init__(
        self,
        directory: Path,
        *,
        layer_format: FormatName | None = None,
        registries: RegistryOptions | None = None,
        limits: Limits | None = None,
        pulls_at_once: int = 3,
    ) -> None:
        self.directory = directory
        self._layer_format = layer_format
        self._skopeo = Skopeo(registries or RegistryOptions())
        self._limits = limits or Limits()
        self._pulls_at_once = pulls_at_once
        self._catalog = Catalog(directory / "index.json")
        self._blobs = Blobs(directory / "blobs")
        self._layers = LayerDirectory(directory)
        self._lowers_fd = -1

    def open(self) -> AbstractAsyncContextManager[None]:
        """
        See Images. Raises BlockingIOError if another process has the directory, ValueError for an index that is not
        ours.
        """
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        lock = await anyio.to_thread.run_sync(self._find_all)
        try:
            async with anyio.create_task_group() as group:
                layer_format = await self._choose_format()
                unpackers = Unpackers(os.cpu_count() or 1, layer_format, self._limits)
                self._intake = Intake(
                    self.directory, self._catalog, self._blobs, self._layers, unpackers, layer_format, self._limits
                )
                await anyio.to_thread.run_sync(self._intake.open)
                self._flights: Flights[Image] = Flights(group)
                self._repairing = anyio.Lock()
                self._archives = Archives(self._skopeo, self._blobs, self._intake)
                budget = PullBudget(self._limits, DiskRoom(self.directory, self._limits.reserve_bytes))
                self._puller = Puller(
                    self._skopeo, self._catalog, self._blobs, self._intake, self._pulls_at_once, budget
                )
                yield
                group.cancel_scope.cancel()
        finally:
            os.close(self._lowers_fd)
            os.close(lock)

    async def _choose_format(self) -> FormatName:
        if self._layer_format is not None:
            return self._layer_format
        return await anyio.to_thread.run_sync(find_format, self.directory)

    def _find_all(self) -> int:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._catalog.load()
            self._blobs.open()
            unknown = self._layers.open() - set(self._catalog.contents.layers)
            self._lowers_fd = os.open(self._layers.lowers, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._layers.drop_unknown({layer.number for layer in self._catalog.contents.layers.values()})
            for diff_id in unknown:
                self._layers.remove(diff_id)
        except BaseException:
            os.close(lock)
            raise
        return lock

    async def close(self, *, remove_mounts: bool = False) -> None:
        """
        With `remove_mounts`, detach every layer: the machine is as before the store. Root file systems keep theirs
        until unmounted.
        """
        if remove_mounts:
            await anyio.to_thread.run_sync(self._detach_all)

    def find(self, reference: str, architecture: str | None = None) -> Image | None:
        """See Images. No I/O."""
        try:
            return self._catalog.find(str(parse_reference(reference)), architecture)
        except ImageError:
            return None

    def list(self) -> Sequence[Image]:
        """See Images. No I/O."""
        images = [self._catalog.image(record) for record in self._catalog.contents.images.values()]
        return sorted((image for image in images if image.references), key=lambda image: image.created_at, reverse=True)

    async def ensure(
        self,
        reference: str,
        architecture: str,
        progress: Progress | None = None,
        *,
        login: RegistryLogin | None = None,
    ) -> Image:
        """See Images."""
        parsed = parse_reference(reference)
        found = self._catalog.find(str(parsed), architecture)
        if found is not None:
            return found

        async def pull(tell: Progress) -> Image:
            try:
                return self._catalog.image(await self._puller.pull(parsed, architecture, login, tell))
            except (ImageNotFound, ImageUnreachable) as error:
                if self._catalog.find(str(parsed), None) is not None:  # an import, or of a registry that is gone
                    raise wrong_platform(architecture) from error
                raise

        return await self._flights.join((parsed, architecture, login), pull, progress)

    async def import_archive(
        self, path: Path, reference: str, progress: Progress | None = None, *, config: ImageConfig | None = None
    ) -> Image:
        """
        See Images. `config` is for a root file system tar, which has none; this machine's architecture if it names
        none.
        """
        parsed = parse_reference(reference)
        if parsed.digest is not None:
            raise ImageError(f"cannot import {path.name} as {reference}: a digest can't be chosen")
        with image_errors(f"import {path.name}"):
            kind = await anyio.to_thread.run_sync(find_archive_kind, path)
            if progress is not None:
                progress(f"importing {path.name} ({kind})")
            async with self._intake.work() as (stage, pins):
                if kind == "rootfs":
                    digest = await self._intake.take_rootfs(path, config or _host_config(), stage, pins)
                else:
                    digest = await self._archives.read(kind, path, stage, pins)
                record = await self._intake.enter_image(str(parsed), None, digest, None, pins)
        return self._catalog.image(record)

    async def export_archive(self, reference: str, path: Path, kind: Literal["oci", "docker"]) -> None:
        """
        See Images. An image that its registry has in docker's format is exported with the same layers and another
        digest.
        """
        parsed = parse_reference(reference)
        image = self._catalog.find(str(parsed), None)
        if image is None:
            raise ImageNotFound(f"cannot export {reference}: there is no such image here")
        with image_errors(f"export {reference}"):
            await self._archives.write(self._catalog.contents.images[image.digest], parsed, path, kind)

    async def remove(self, reference: str) -> None:
        """See Images."""
        if self._catalog.contents.references.pop(str(parse_reference(reference)), None) is not None:
            await self._intake.save()

    async def collect_garbage(self, in_use: set[str]) -> int:
        """See Images. `in_use` may hold images' digests and layers' DiffIDs; what is being pulled stays too."""
        held = self._catalog.contents
        here = await anyio.to_thread.run_sync(self._blobs.digests)
        garbage = find_garbage(held, here, in_use | self._intake.pinned)
        for digest in garbage.images:
            del held.images[digest]
        layers = {diff_id: held.layers.pop(diff_id) for diff_id in garbage.layers}
        packed = set(held.unpacked)
        held.unpacked = {digest: diff_id for digest, diff_id in held.unpacked.items() if digest not in garbage.blobs}
        with image_errors("collect garbage"):
            # The index first: it must never name what is gone.
            await self._intake.save()
            doomed = self._intake.discard(layers, garbage.blobs, packed)
            return await anyio.to_thread.run_sync(remove_tree, doomed)

    async def mount_rootfs(self, image: Image, directory: Path, written: Path | None = None) -> Path:
        """See Images. A layer that can't be read is unpacked again. Raises ImageError."""
        with image_errors("mount the image"):
            await failpoint.reach("image.mount")
        for _ in image.layers:
            try:
                with image_errors("mount the image"):
                    return await anyio.to_thread.run_sync(self._mount, image, directory, written or directory)
            except UnreadableLayer as error:
                with image_errors("mount the image"):
                    await self._repair(error.diff_id)
        with image_errors("mount the image"):
            return await anyio.to_thread.run_sync(self._mount, image, directory, written or directory)

    async def unmount_rootfs(self, directory: Path, *, keep_written: bool = False) -> None:
        """See Images. Raises OSError."""
        await failpoint.reach("image.unmount")
        unmount_overlay(directory)  # a quarter of a millisecond: a thread would take longer to wake
        if not keep_written:
            await anyio.to_thread.run_sync(delete_written, directory)

    def _mount(self, image: Image, directory: Path, written: Path) -> Path:
        lowers = [self._layers.lowers / "0"]
        # overlayfs takes no layer twice, and images do have such (empty ones, mostly). What the upper one says holds
        # whatever the lower one said.
        for diff_id in reversed(dict.fromkeys(reversed(image.layers))):
            layer = self._catalog.contents.layers.get(diff_id)
            if layer is None:
                raise ImageNotFound(f"cannot mount the image: its layer {diff_id} is not here any more")
            lowers.append(self._layers.attach(diff_id, layer.number, layer.format))
        return mount_overlay(lowers[1:] or lowers, directory, written, self._lowers_fd)

    async def _repair(self, diff_id: str) -> None:
        broken = self._catalog.contents.layers[diff_id]
        async with self._repairing:
            if self._catalog.contents.layers[diff_id] is broken:
                await self._intake.repair(diff_id)
                await anyio.to_thread.run_sync(self._layers.detach, broken.number, broken.format)

    def _detach_all(self) -> None:
        layers = {layer.number: layer for layer in self._catalog.contents.layers.values()}
        for number in self._layers.attached() & set(layers):
            self._layers.detach(number, layers[number].format)


def _host_config() -> ImageConfig:
    return ImageConfig(architecture={"aarch64": "arm64"}.get(platform.machine(), platform.machine()))
