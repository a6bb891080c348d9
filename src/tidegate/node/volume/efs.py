"""
EFS volumes of tasks: directories of this host or of an NFS server, mounted for each task at `<directory>/<task>/<n>`.

What a task names inside a file system is resolved as if that were `/`: no link and no `..` leads out of it, whoever
changes it meanwhile (openat2(2)); what was found is mounted by its descriptor, not by its name. What is mounted here is
somebody's data: nothing below a mount is ever deleted, a place that can't be unmounted stays.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from tidegate.kernel import failpoint, syscalls
from tidegate.kernel.inroot import open_in_root
from tidegate.kernel.mounts import clone_mount, is_mounted, place_mount
from tidegate.model.execution import FileSystemRights
from tidegate.model.spec import EfsVolume, TaskSpec
from tidegate.node.volume.efsmap import AccessPoint, EfsMap, NfsRoot, Root
from tidegate.node.volume.volumes import VolumeFailure

NFS_SECONDS = 30.0
"""For a server to answer."""
NFS_OPTIONS = "vers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
"""As the EFS user guide recommends them."""
NFS_PREFIX = ".nfs-"
_PORT = 2049
_RACES = 10


class MountRights(Protocol):
    """Says what the task's role may do, for volumes that check it."""

    def of(self, task: TaskSpec, volume: EfsVolume) -> FileSystemRights:
        """By the role's policies."""


class AllRights:
    """For a node that has nobody to ask."""

    def of(self, task: TaskSpec, volume: EfsVolume) -> FileSystemRights:
        """See MountRights."""
        return FileSystemRights()


class NetworkFileSystems(Protocol):
    """Mounts exports of other hosts."""

    async def mount(self, root: NfsRoot, place: Path) -> None:
        """Raises OSError."""


class KernelNfs:
    """By mount(2) and the kernel's NFS client."""

    async def mount(self, root: NfsRoot, place: Path) -> None:
        """See NetworkFileSystems."""
        with anyio.move_on_after(NFS_SECONDS):
            await anyio.to_thread.run_sync(_mount_nfs, root, place, abandon_on_cancel=True)
            return
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


class EfsVolumes:
    """directory: for the mounts, on no file system that they show; made when the first task needs it."""

    def __init__(
        self,
        directory: Path,
        known: EfsMap,
        rights: MountRights | None = None,
        network: NetworkFileSystems | None = None,
    ) -> None:
        self._directory = directory
        self._map = known
        self._rights = rights or AllRights()
        self._network = network or KernelNfs()
        self._mounting = anyio.Lock()

    async def prepare(self, task: TaskSpec) -> Mapping[str, bool]:
        """Mount the task's volumes: name -> whether it may write to them. May be repeated. Raises VolumeFailure."""
        writable = {}
        for number, volume in enumerate(task.efs_volumes):
            rights = self._rights.of(task, volume) if volume.checks_iam else FileSystemRights()
            if not rights.may_mount:
                raise _failed("b'mount.nfs4: access denied by server while mounting 127.0.0.1:/'", 32)
            await self._prepare(task, volume, self.place(task.id, number))
            writable[volume.name] = rights.may_write
        return writable

    def place(self, task: str, number: int) -> Path:
        """Where a task's volume is mounted."""
        return self._directory / task / str(number)

    def release(self, task: str) -> None:
        """Unmount the task's volumes; succeeds if there are none. Raises OSError."""
        failpoint.hit("volume.unmount")
        directory = self._directory / task
        with suppress(FileNotFoundError):
            for place in directory.iterdir():
                _unmount(place)
            directory.rmdir()

    def keep_only(self, tasks: set[str]) -> None:
        """Unmount what others have. Raises OSError."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self._directory):
                if not name.startswith(NFS_PREFIX) and name not in tasks:
                    self.release(name)

    def close(self) -> None:
        """Unmount all, exports of other hosts too: no task is left. Raises OSError."""
        self.keep_only(set())
        with suppress(FileNotFoundError):
            for place in self._directory.iterdir():
                _unmount(place)

    async def _prepare(self, task: TaskSpec, volume: EfsVolume, place: Path) -> None:
        if is_mounted(place):
            return
        address = f"{volume.file_system}.efs.{task.region}.amazonaws.com"
        point = self._access_point(volume)
        directory = point.directory if point is not None else volume.directory or "/"
        root = self._map.systems.get(volume.file_system) or self._map.default
        if root is None:
            raise _failed(
                f'Failed to resolve "{address}" - check that your file system ID is correct: this server has no '
                f"directory for it (--efs-root {volume.file_system}=/DIRECTORY)",
                1,
            )
        try:
            await failpoint.reach("volume.mount")
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            base = await self._base(root, volume.file_system)
            await anyio.to_thread.run_sync(_mount_directory, base, directory, point, place)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise _failed(
                f"b'mount.nfs4: mounting {address}:{directory} failed, reason given by server: {why}'", 32
            ) from error

    def _access_point(self, volume: EfsVolume) -> AccessPoint | None:
        if volume.access_point is None:
            return None
        point = self._map.access_points.get(volume.access_point)
        if point is None or point.file_system != volume.file_system:
            raise _failed(
                "b'mount.nfs4: access denied by server while mounting 127.0.0.1:/': this server knows no access point "
                f"{volume.access_point} of {volume.file_system} "
                f"(--efs-access-point {volume.access_point}={volume.file_system}:/DIRECTORY)",
                32,
            )
        return point

    async def _base(self, root: Root, file_system: str) -> Path:
        """The directory that is the file system's root. Raises OSError."""
        is_own = file_system in self._map.systems
        if isinstance(root, NfsRoot):
            base = self._directory / f"{NFS_PREFIX}{file_system if is_own else 'default'}"
            async with self._mounting:
                if not is_mounted(base):
                    base.mkdir(mode=0o700, parents=True, exist_ok=True)
                    await self._network.mount(root, base)
        else:
            base = root.path
        if is_own:
            return base
        own = base / file_system
        own.mkdir(mode=0o755, exist_ok=True)
        return own


def _failed(stderr: str, code: int) -> VolumeFailure:
    """In the words that Fargate's agent has for its helper."""
    return VolumeFailure(
        f"failed to invoke EFS utils commands to set up EFS volumes: stderr: {stderr} : "
        f"unsuccessful EFS utils command execution; code: {code}"
    )


def _mount_directory(base: Path, directory: str, point: AccessPoint | None, place: Path) -> None:
    root = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if point is not None and point.owner is not None:
            _ensure_directory(root, directory, point.owner)
        found = _open_directory(root, directory)
        try:
            mount = clone_mount(found)
        finally:
            os.close(found)
    finally:
        os.close(root)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place_mount(mount, place)
    finally:
        os.close(mount)


def _open_directory(root: int, directory: str) -> int:
    """What others rename meanwhile makes the kernel give up (EAGAIN): again, a few times."""
    for _ in range(_RACES):
        with suppress(BlockingIOError):
            return open_in_root(root, directory, os.O_PATH | os.O_DIRECTORY)
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _ensure_directory(root: int, directory: str, owner: tuple[int, int]) -> None:
    """Make what is missing of it; the last part is the owner's."""
    parts = [part for part in directory.split("/") if part not in ("", ".", "..")]
    for depth, name in enumerate(parts, 1):
        parent = _open_directory(root, "/" + "/".join(parts[: depth - 1]))
        try:
            with suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=parent)
                if depth == len(parts):
                    os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)


def _unmount(place: Path) -> None:
    """And delete the empty directory that it was mounted on: never what is in it."""
    while is_mounted(place):
        syscalls.umount(str(place))
    place.rmdir()


def _mount_nfs(root: NfsRoot, place: Path) -> None:
    address = socket.getaddrinfo(root.host, _PORT, type=socket.SOCK_STREAM)[0][4][0]
    source = f"[{root.host}]:{root.export}" if ":" in root.host else f"{root.host}:{root.export}"
    syscalls.mount(source, str(place), "nfs4", syscalls.MS_NODEV, f"{NFS_OPTIONS},addr={address}")
