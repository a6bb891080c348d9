"""
Scratch space as a directory with a project quota: for hosts whose state directory is on XFS or ext4 with `prjquota`.

No device and no file system of its own: what a task writes is on the host's file system at once, and a full host is
ENOSPC there as well. Each directory has a project of its own, a number of which the host may have other users: it is
free if nothing was ever counted for it. How large a directory may be is told by an attribute of it.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio.to_thread

from tidegate.kernel.quota import find_project, limit_project, read_project, set_project
from tidegate.node.volume.removal import Removals, clean, find_tasks
from tidegate.node.volume.scratch import BYTES_A_FILE, ScratchKind, Space

_SIZE = "trusted.tidegate.size"
_FIRST, _COUNT = 1 << 20, 1 << 30
_TRIES = 10_000


class QuotaScratch:
    """See the contract. directory: made if missing."""

    kind: ScratchKind = "quota"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._removals = Removals(directory, self._free)
        self._next = _FIRST + zlib.crc32(os.fsencode(directory.absolute())) % _COUNT

    def open(self) -> AbstractAsyncContextManager[None]:
        """See the contract."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(clean, self._directory)
        async with self._removals.open():
            yield

    async def ensure(self, task: str, size_bytes: int) -> Path:
        """See the contract."""
        await self._removals.wait(task)
        place = self.path(task)
        with suppress(FileExistsError):
            place.mkdir(mode=0o755)
        with _opened(place) as directory:
            if find_project(directory) == 0:
                self._begin(directory, size_bytes)
        return place

    def path(self, task: str) -> Path:
        """See the contract."""
        return self._directory / task

    def tasks(self) -> list[str]:
        """See the contract."""
        return sorted(find_tasks(self._directory))

    def space(self, task: str) -> Space | None:
        """See the contract. What is written is the host's matter at once: nothing is pending."""
        with suppress(FileNotFoundError), _opened(self.path(task)) as directory:
            used = read_project(directory, find_project(directory)).used_bytes
            return Space(size_bytes=_size_of(directory), used_bytes=used, backed_bytes=used)
        return None

    def hold_back(self, task: str, size_bytes: int) -> None:
        """See the contract. By a lower limit: one of nothing would be none."""
        with _opened(self.path(task)) as directory:
            size = _size_of(directory)
            limit = max(size - max(size_bytes, 0), 1 << 12)
            limit_project(directory, find_project(directory), limit, _inodes_of(size))

    def trim(self, task: str) -> None:
        """See the contract: what is deleted is the host's again at once."""

    async def remove(self, task: str) -> None:
        """See the contract."""
        self._removals.begin(task)

    async def keep_only(self, tasks: set[str]) -> None:
        """See the contract."""
        for task in sorted(find_tasks(self._directory) - tasks):
            await self.remove(task)

    def _begin(self, directory: int, size_bytes: int) -> None:
        if os.listdir(directory):
            return  # those of another kind, chosen by an earlier server
        os.setxattr(directory, _SIZE, str(size_bytes).encode())
        project = self._new_project(directory)
        limit_project(directory, project, size_bytes, _inodes_of(size_bytes))
        set_project(directory, project)

    def _new_project(self, directory: int) -> int:
        """A number that nobody on this file system has used, or uses now. Raises OSError."""
        for _ in range(_TRIES):
            project = self._next
            self._next = _FIRST + (self._next - _FIRST + 1) % _COUNT
            try:
                use = read_project(directory, project)
            except FileNotFoundError:
                return project
            if not (use.used_bytes or use.limit_bytes or use.inodes):
                return project
        raise OSError(errno.ENOSPC, "cannot find a project that nobody uses")

    def _free(self, task: str) -> None:
        """Its project is nobody's again, before its directory is gone. Raises OSError."""
        with suppress(FileNotFoundError), _opened(self.path(task)) as directory:
            project = find_project(directory)
            if project:
                limit_project(directory, project, 0, 0)


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)


def _size_of(directory: int) -> int:
    return int(os.getxattr(directory, _SIZE))


def _inodes_of(size_bytes: int) -> int:
    """As many as a file system of that size has: on ext4 the host's are all there are."""
    return size_bytes // BYTES_A_FILE
