"""
The contract of a task's storage: the disk that its containers write to, and the volumes that they mount.

    prepare (the task's disk and volumes are there)
        bind (what one container mounts, and where its own writes go), for each container that is created
    release (all of it goes, but for what is somebody else's: EFS)

All calls may be repeated: after a crash `prepare` and `bind` find what there is.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from tidegate.model.image import Image
from tidegate.model.spec import ContainerSpec, Mount, TaskSpec


class VolumeFailure(Exception):
    """A task's storage can't be had; the message follows `ResourceInitializationError: ` in the task's reason."""


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What a container mounts, its own and what it takes over from others."""

    mounts: tuple[Mount, ...] = ()
    places: dict[str, str] = msgspec.field(default_factory=dict)
    """Directories of this host, by the volumes' names in `mounts`."""


@dataclass(frozen=True, slots=True)
class StorageUse:
    """Of a task's ephemeral storage, as the metadata endpoint's EphemeralStorageMetrics wants it."""

    utilized_mib: int
    """Written by its containers, and its images, packed and unpacked."""
    reserved_mib: int
    """All of it."""


class Volumes(Protocol):
    """Implementations: `disks` (this host); a fake for tests of the node."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """Inside, it can be used; what tasks have outlives it. Raises OSError."""

    async def prepare(self, task: TaskSpec) -> None:
        """Have the task's disk and its volumes. Raises VolumeFailure, OSError."""

    def admit(self, task: TaskSpec, image: Image) -> None:
        """The task uses this image: it has to have room on its disk. Raises VolumeFailure."""

    async def bind(self, task: TaskSpec, container: ContainerSpec, image: Image, rootfs: Path) -> Bound:
        """
        What a container mounts; volumes that begin with what the image has there are filled from `rootfs`.

        Those that it takes over from another container (`volumesFrom`) must have been bound before. Raises OSError.
        """

    def written(self, task: TaskSpec, container: str) -> Path:
        """Where a container's root file system keeps what is written to it (`upper` and `work`), once prepared."""

    def place(self, task: TaskSpec, volume: str) -> Path:
        """Where one of the task's own volumes (`TaskSpec.volumes`) is on this host, once prepared."""

    def use(self, task: str) -> StorageUse | None:
        """How much of its storage a task (an id) uses; None where that is not known. Microseconds."""

    async def release(self, task: TaskSpec) -> None:
        """Take the disk away, and leave what is not the task's. Succeeds if there is nothing. Raises OSError."""

    async def keep_only(self, tasks: set[str]) -> None:
        """Take away what other tasks than these (ids) have left."""
