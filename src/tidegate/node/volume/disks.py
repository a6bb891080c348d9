"""
Tasks' storage on this host. See `volumes` for the contract.

A task's scratch holds, by positions in its specification (names may be too long for a file):

    v<n>/            its volumes
    c<n>/            what a container writes: upper/ and work/ of its root file system, a<n>/ its anonymous volumes
    bound<n>.json    what a container has bound; containers that take its volumes over read it
    filling-...      says of a volume that it is just being filled from an image

Containers see single directories of these, never the root. As on Fargate the disk holds the task's images too, packed
and unpacked: they are kept once on this host for all tasks, but each task has so much less to write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from tidegate.kernel import failpoint
from tidegate.kernel.background import running
from tidegate.model.image import Image
from tidegate.model.spec import DEFAULT_STORAGE_GIB, ContainerSpec, Mount, TaskSpec
from tidegate.node.volume.binding import Binding, plan_binding
from tidegate.node.volume.efs import EfsVolumes
from tidegate.node.volume.filling import fill_volume
from tidegate.node.volume.guard import DiskGuard
from tidegate.node.volume.scratch import GIB, MIB, Scratch
from tidegate.node.volume.volumes import Bound, StorageUse, VolumeFailure

OWN_MIB = 16
"""What the file system keeps for itself beside a task's storage: AWS shows 20496 MiB for 20 GiB."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """bound<n>.json."""

    bound: Bound
    image: str
    image_bytes: int


class TaskDisks:
    """Implements Volumes on a Scratch."""

    def __init__(self, scratch: Scratch, guard: DiskGuard, efs: EfsVolumes) -> None:
        self.scratch = scratch
        self._guard = guard
        self._efs = efs
        self._tasks: dict[str, TaskSpec] = {}
        """Prepared by this process; after a restart each is prepared again."""
        self._images: dict[str, dict[str, int]] = {}
        """By task: bytes of each image, by digest."""
        self._read_only: dict[str, frozenset[str]] = {}
        """By task: volumes that its role may not write to."""
        self._filling: dict[str, anyio.Lock] = {}

    def open(self) -> AbstractAsyncContextManager[None]:
        """See Volumes."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        async with self.scratch.open(), running(self._guard.run):
            yield

    def pressure(self) -> str:
        """Why no more tasks should come; empty while there is room for what they write. Raises OSError."""
        return self._guard.pressure()

    def size_gib(self) -> int | None:
        """What all disks together may take; None: they are not limited. Raises OSError."""
        return self._guard.size_gib()

    async def prepare(self, task: TaskSpec) -> None:
        """See Volumes."""
        if self.scratch.kind == "unlimited" and task.ephemeral_storage_gib > DEFAULT_STORAGE_GIB:
            raise VolumeFailure(
                f"this host can't give a task a disk of {task.ephemeral_storage_gib} GiB: it has neither loop devices "
                "nor project quotas. See `tidegate doctor`"
            )
        self._tasks[task.id] = task
        await failpoint.reach("volume.disk")
        disk = await self.scratch.ensure(task.id, task.ephemeral_storage_gib * GIB)
        for number in range(len(task.volumes)):
            _make_directory(disk / f"v{number}")
        for number in range(len(task.containers)):
            (disk / f"c{number}").mkdir(mode=0o700, exist_ok=True)
        self._guard.keep(task.id, sum(self._held_images(task).values()))
        if task.efs_volumes:
            writable = await self._efs.prepare(task)
            self._read_only[task.id] = frozenset(name for name, may_write in writable.items() if not may_write)

    def admit(self, task: TaskSpec, image: Image) -> None:
        """See Volumes."""
        held = self._held_images(task)
        total = sum((held | {image.digest: _bytes_of(image)}).values())
        if total >= task.ephemeral_storage_gib * GIB:
            raise VolumeFailure(
                f"the task's images take {total // MIB} MiB, packed and unpacked, of its "
                f"{task.ephemeral_storage_gib} GiB of ephemeral storage: no space left on device"
            )
        held[image.digest] = _bytes_of(image)

    async def bind(self, task: TaskSpec, container: ContainerSpec, image: Image, rootfs: Path) -> Bound:
        """See Volumes."""
        await failpoint.reach("volume.bind")
        disk = self.scratch.path(task.id)
        self.admit(task, image)
        self._guard.keep(task.id, sum(self._held_images(task).values()))
        sources = {each.container: self._read(task, each.container).bound for each in container.volumes_from}
        planned = plan_binding(container, image.config.volumes, sources)
        places = {name: place for source in sources.values() for name, place in source.places.items()}
        places |= {name: str(disk / f"v{number}") for number, name in enumerate(task.volumes)}
        places |= {efs.name: str(self._efs.place(task.id, number)) for number, efs in enumerate(task.efs_volumes)}
        places |= self._make_anonymous(self.written(task, container.name), planned)
        bound = Bound(
            mounts=_hold_to(planned.mounts, self._read_only.get(task.id, frozenset())),
            places={mount.volume: places[mount.volume] for mount in planned.mounts},
        )
        lasting = {efs.name for efs in task.efs_volumes}
        filled = {name: path for name, path in planned.filled.items() if name not in lasting}
        await self._fill(task, rootfs, filled, bound.places)
        kept = _Kept(bound=bound, image=image.digest, image_bytes=_bytes_of(image))
        self._file(task, container.name).write_bytes(msgspec.json.encode(kept))
        return bound

    def written(self, task: TaskSpec, container: str) -> Path:
        """See Volumes."""
        return self.scratch.path(task.id) / f"c{_position(task, container)}"

    def place(self, task: TaskSpec, volume: str) -> Path:
        """See Volumes."""
        return self.scratch.path(task.id) / f"v{task.volumes.index(volume)}"

    def use(self, task: str) -> StorageUse | None:
        """See Volumes."""
        spec = self._tasks.get(task)
        try:
            space = self.scratch.space(task)
        except OSError:
            return None
        if spec is None or space is None:
            return None
        used = space.used_bytes + sum(self._held_images(spec).values())
        return StorageUse(utilized_mib=-(-used // MIB), reserved_mib=spec.ephemeral_storage_gib * 1024 + OWN_MIB)

    async def release(self, task: TaskSpec) -> None:
        """See Volumes."""
        self._tasks.pop(task.id, None)
        self._images.pop(task.id, None)
        self._filling.pop(task.id, None)
        self._guard.forget(task.id)
        self._read_only.pop(task.id, None)
        if task.efs_volumes:
            self._efs.release(task.id)
        await failpoint.reach("volume.release")
        await self.scratch.remove(task.id)

    async def keep_only(self, tasks: set[str]) -> None:
        """See Volumes."""
        self._efs.keep_only(tasks)
        await self.scratch.keep_only(tasks)

    def close(self) -> None:
        """Unmount what outlives tasks; none is left. Raises OSError."""
        self._efs.close()

    def _held_images(self, task: TaskSpec) -> dict[str, int]:
        """Those admitted by us, or by an earlier process of ours to containers that it created."""
        held = self._images.get(task.id)
        if held is None:
            held = self._images[task.id] = {}
            for container in task.containers:
                with suppress(FileNotFoundError, msgspec.DecodeError):
                    kept = self._read(task, container.name)
                    held[kept.image] = kept.image_bytes
        return held

    def _make_anonymous(self, written: Path, planned: Binding) -> dict[str, str]:
        places = {}
        for number, name in enumerate(planned.anonymous):
            _make_directory(written / f"a{number}")
            places[name] = str(written / f"a{number}")
        return places

    async def _fill(self, task: TaskSpec, rootfs: Path, filled: Mapping[str, str], places: Mapping[str, str]) -> None:
        """One container of a task at a time: two of them may begin with the same volume."""
        if not filled:
            return
        disk = self.scratch.path(task.id)
        work = [(path, Path(places[name])) for name, path in filled.items()]
        async with self._filling.setdefault(task.id, anyio.Lock()):
            for path, volume in work:
                await anyio.to_thread.run_sync(_fill, disk, rootfs, path, volume)

    def _read(self, task: TaskSpec, container: str) -> _Kept:
        return msgspec.json.decode(self._file(task, container).read_bytes(), type=_Kept)

    def _file(self, task: TaskSpec, container: str) -> Path:
        return self.scratch.path(task.id) / f"bound{_position(task, container)}.json"


def _hold_to(mounts: Iterable[Mount], read_only: Collection[str]) -> tuple[Mount, ...]:
    return tuple(
        msgspec.structs.replace(mount, read_only=mount.read_only or mount.volume in read_only) for mount in mounts
    )


def _make_directory(path: Path) -> None:
    """Empty, 0755 and root's, as Fargate gives it; one that is there is left as it is."""
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(0o755)


def _fill(disk: Path, rootfs: Path, path: str, volume: Path) -> None:
    """With a mark by which a fill that was cut short is found and done again."""
    mark = disk / f"filling-{'-'.join(volume.relative_to(disk).parts)}"
    is_again = mark.exists()
    mark.touch()
    fill_volume(rootfs, path, volume, is_again=is_again)
    mark.unlink()


def _bytes_of(image: Image) -> int:
    return image.size_bytes + image.packed_bytes


def _position(task: TaskSpec, container: str) -> int:
    return next(number for number, each in enumerate(task.containers) if each.name == container)
