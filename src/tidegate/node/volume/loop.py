"""
Scratch space as an ext4 file system in a sparse file, attached by a loop device: for every host that has those.

A file takes room on the host as it is written, and gives it back when it is deleted with its task. A few of the usual
size are made ahead, mounted but in nobody's sight: they are held by descriptors, so a server that is killed leaves
nothing of them but files, which the next one deletes. A task's own lies at `<id>` (the mount) and `<id>.img`.

A thousand tasks make a thousand loop devices; each costs 0.3 MB of the kernel's memory, most of it page cache.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import struct
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from tidegate.kernel.background import running
from tidegate.kernel.loop import attach_loop
from tidegate.kernel.mounts import ATTRIBUTE_NODEV, make_mount, place_mount
from tidegate.kernel.spawn import Spawner
from tidegate.node.volume.removal import Removals, clean, find_tasks, image_file
from tidegate.node.volume.scratch import GIB, ScratchKind, Space
from tidegate.node.volume.template import BLOCK_BYTES, Template, make_template, reserve_bytes

log = structlog.get_logger()

WARM = 4
"""Disks that are made ahead."""
WARM_BYTES = 20 * GIB
MOUNT_OPTIONS = ("noinit_itable", "errors=continue")
"""Inode tables stay holes: nobody writes zeros into them in the background."""
_TEMPLATES = 8
_FITRIM = 0xC0185879
_RETRY_SECONDS = 5.0
_WARM_PREFIX = ".warm-"


@dataclass(frozen=True, slots=True)
class _Disk:
    """One that was made and is not in its place yet."""

    file: Path
    mount: int


class LoopScratch:
    """See the contract. directory: made if missing; on a file system that can hold sparse files."""

    kind: ScratchKind = "loop"

    def __init__(self, directory: Path, spawner: Spawner, *, warm: int = WARM, warm_bytes: int = WARM_BYTES) -> None:
        self._directory = directory
        self._spawner = spawner
        self._warm_count, self._warm_bytes = warm, warm_bytes
        self._warm: list[_Disk] = []
        self._numbers = itertools.count()
        self._templates: dict[int, Template] = {}
        self._devices: dict[str, str] = {}
        self._taken = anyio.Event()
        self._making = anyio.Lock()
        self._removals = Removals(directory)

    def open(self) -> AbstractAsyncContextManager[None]:
        """See the contract."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(clean, self._directory)
        async with self._removals.open():
            try:
                async with running(self._keep_warm):
                    yield
            finally:
                self._drop_warm()

    async def ensure(self, task: str, size_bytes: int) -> Path:
        """See the contract."""
        await self._removals.wait(task)
        place = self.path(task)
        if _is_mounted(place) or _has_contents(place):
            return place  # contents without a mount: those of another kind, chosen by an earlier server
        if size_bytes == self._warm_bytes and self._warm:
            disk = self._warm.pop()
            self._taken.set()
        else:
            template = await self._template(size_bytes)
            disk = await anyio.to_thread.run_sync(self._make, template)
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            disk.file.rename(image_file(self._directory, task))
            place_mount(disk.mount, place)
        finally:
            os.close(disk.mount)
        return place

    def path(self, task: str) -> Path:
        """See the contract."""
        return self._directory / task

    def tasks(self) -> list[str]:
        """See the contract."""
        with os.scandir(self._directory) as entries:
            return [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]

    def space(self, task: str) -> Space | None:
        """See the contract."""
        place = self.path(task)
        try:
            backed = os.stat(image_file(self._directory, task)).st_blocks * 512
        except FileNotFoundError:
            return None
        if not _is_mounted(place):
            return None
        found = os.statvfs(place)
        unit = found.f_frsize
        used = (found.f_blocks - found.f_bfree) * unit
        size = found.f_blocks * unit - reserve_bytes(found.f_blocks * unit)
        return Space(size_bytes=size, used_bytes=used, backed_bytes=backed, dirty_bytes=self._dirty_bytes(task))

    def hold_back(self, task: str, size_bytes: int) -> None:
        """See the contract. By ext4's reserved clusters, which not even root gets."""
        control = f"/sys/fs/ext4/{self._device(task)}/reserved_clusters"
        found = os.statvfs(self.path(task))
        kept = max(size_bytes, 0) + reserve_bytes(found.f_blocks * found.f_frsize)
        with open(control, "w", encoding="ascii") as file:
            file.write(str(min(kept // BLOCK_BYTES, found.f_blocks)))

    def trim(self, task: str) -> None:
        """See the contract."""
        fd = os.open(self.path(task), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _FITRIM, struct.pack("QQQ", 0, (1 << 64) - 1, 0))
        finally:
            os.close(fd)

    async def remove(self, task: str) -> None:
        """See the contract."""
        self._devices.pop(task, None)
        self._removals.begin(task)

    async def keep_only(self, tasks: set[str]) -> None:
        """See the contract."""
        for task in sorted(find_tasks(self._directory) - tasks):
            await self.remove(task)

    def _dirty_bytes(self, task: str) -> int:
        try:
            with open(f"/sys/fs/ext4/{self._device(task)}/delayed_allocation_blocks", encoding="ascii") as file:
                return int(file.read()) * BLOCK_BYTES
        except OSError:  # no /sys here
            return 0

    def _device(self, task: str) -> str:
        """The kernel's name of the task's loop device, e.g. loop7."""
        found = self._devices.get(task)
        if found is None:
            place = self.path(task)
            if not _is_mounted(place):
                raise FileNotFoundError(errno.ENOENT, "no scratch is mounted", str(place))
            number = os.stat(place).st_dev
            found = os.path.basename(os.readlink(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"))
            self._devices[task] = found
        return found

    async def _template(self, size_bytes: int) -> Template:
        async with self._making:
            found = self._templates.pop(size_bytes, None)
            if found is None:
                found = await make_template(self._spawner, size_bytes, self._directory)
            self._templates[size_bytes] = found  # the last of those that were used
            while len(self._templates) > _TEMPLATES:
                del self._templates[next(iter(self._templates))]
            return found

    def _make(self, template: Template) -> _Disk:
        file = self._directory / f"{_WARM_PREFIX}{next(self._numbers)}"
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            template.write(fd)
            device_fd, device = attach_loop(fd, is_read_only=False)
            try:
                mount = make_mount("ext4", device, MOUNT_OPTIONS, ATTRIBUTE_NODEV)
            finally:
                os.close(device_fd)  # the mount holds the device, which frees itself with it
        except OSError:
            file.unlink()
            raise
        finally:
            os.close(fd)
        return _Disk(file, mount)

    async def _keep_warm(self) -> None:
        while True:
            self._taken = anyio.Event()
            try:
                while len(self._warm) < self._warm_count:
                    template = await self._template(self._warm_bytes)
                    self._warm.append(await anyio.to_thread.run_sync(self._make, template))
            except OSError as error:  # the top of a loop; a task that needs one says what is wrong
                log.warning("cannot make a disk ahead; trying again", why=str(error))
                await anyio.sleep(_RETRY_SECONDS)
                continue
            await self._taken.wait()

    def _drop_warm(self) -> None:
        for disk in self._warm:
            os.close(disk.mount)
            disk.file.unlink(missing_ok=True)
        self._warm.clear()


def _has_contents(place: Path) -> bool:
    try:
        return bool(os.listdir(place))
    except FileNotFoundError:
        return False


def _is_mounted(place: Path) -> bool:
    return os.path.ismount(place)
