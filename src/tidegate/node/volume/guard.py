"""Keeps tasks from filling the host's disk: looks at it now and then, and holds back of theirs what `holding` says."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from tidegate.node.volume.holding import Disk, Host, default_reserve_bytes, headroom_bytes, plan_holds
from tidegate.node.volume.scratch import GIB, MIB, Scratch

log = structlog.get_logger()

PLENTY_SECONDS = 1.0
LITTLE_SECONDS = 0.25
TRIM_SECONDS = 30.0
TRIM_BYTES = 64 * MIB
"""A disk that has deleted so much is worth trimming."""
FEW = 50
"""Disks that are looked at in a millisecond."""
_STEP_BYTES = MIB
"""Smaller changes are not made."""


def read_host(directory: Path, reserve_bytes: int | None, memory_bytes: int) -> Host:
    """The disk that a directory is on; reserve_bytes: None for the default. Raises OSError."""
    found = os.statvfs(directory)
    size = found.f_blocks * found.f_frsize
    reserve = default_reserve_bytes(size) if reserve_bytes is None else reserve_bytes
    return Host(size, found.f_bavail * found.f_frsize, memory_bytes, reserve)


class DiskGuard:
    """
    Holds back of each disk what its task's images take, and more when the host's disk is nearly full.

    host: looks at the host's disk; raises OSError.
    """

    def __init__(self, scratch: Scratch, host: Callable[[], Host]) -> None:
        self._scratch = scratch
        self._host = host
        self._kept: dict[str, int] = {}
        self._held: dict[str, int] = {}
        """What was held back last; a task that is not in it may have anything, from an earlier process of ours."""
        self._has_plenty = True
        """The host's disk, when it was last looked at: tasks may write all that their disks hold."""
        self._trimmed_at = float("-inf")
        self._has_said_why = False
        self._lock = threading.Lock()
        """`run` works in a thread."""

    def keep(self, task: str, image_bytes: int) -> None:
        """From now on the task's images take so much of its disk. Raises OSError."""
        with self._lock:
            self._kept[task] = image_bytes
            if self._has_plenty:
                self._hold(task, image_bytes)
            else:
                self._look()  # what each may have was found out a moment ago: others may have written since

    def forget(self, task: str) -> None:
        """Its disk is given back."""
        with self._lock:
            self._kept.pop(task, None)
            self._held.pop(task, None)

    def pressure(self) -> str:
        """Why no more tasks should come; empty while there is room for what they write. Raises OSError."""
        if self._scratch.kind == "unlimited":
            return ""
        host = self._host()
        if host.has_plenty or headroom_bytes(host, self._disks()) > 0:
            return ""
        free, kept = host.free_bytes / GIB, host.reserve_bytes / GIB
        return f"the disk is nearly full: {free:.1f} GiB are free, {kept:.1f} GiB are kept for the host"

    def size_gib(self) -> int | None:
        """What all disks may take, those that are there included; None: they are not limited. Raises OSError."""
        if self._scratch.kind == "unlimited":
            return None
        host = self._host()
        backed = sum(disk.space.backed_bytes for disk in self._disks().values())
        return max(0, host.free_bytes + backed - host.reserve_bytes) // GIB

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if not (self._has_plenty and self._host().has_plenty):
                    await self._tend()
            except OSError as error:  # the top of a loop
                log.warning("cannot look after the disks of tasks; trying again", why=str(error))
            await anyio.sleep(PLENTY_SECONDS if self._has_plenty else LITTLE_SECONDS)

    def look(self) -> None:
        """Hold back of each disk what there is to be held back now. Raises OSError."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        # In this order: what reaches the disk in between counts twice, and not never.
        disks, host = self._disks(), self._host()
        self._say(host.has_plenty)
        self._has_plenty = host.has_plenty
        for task, held in plan_holds(host, disks).items():
            self._hold(task, held)

    async def _tend(self) -> None:
        """In a thread if it takes long."""
        if anyio.current_time() - self._trimmed_at >= TRIM_SECONDS:
            self._trimmed_at = anyio.current_time()
            for task in self._wasteful():
                await anyio.to_thread.run_sync(self._scratch.trim, task)
        if len(self._held) > FEW:
            await anyio.to_thread.run_sync(self.look)
        else:
            self.look()

    def _disks(self) -> dict[str, Disk]:
        found = {}
        for task in self._scratch.tasks():
            space = self._scratch.space(task)
            if space is not None:
                found[task] = Disk(space, self._kept.get(task, 0))
        return found

    def _hold(self, task: str, size_bytes: int) -> None:
        before = self._held.get(task)
        is_kept = size_bytes == self._kept.get(task, 0)
        if before is not None and (size_bytes == before if is_kept else abs(size_bytes - before) < _STEP_BYTES):
            return
        try:
            self._scratch.hold_back(task, size_bytes)
        except FileNotFoundError:
            return  # it has just been given back
        except OSError as error:
            if not self._has_said_why:
                self._has_said_why = True
                log.warning("nothing can be held back of tasks' disks on this host", why=str(error))
            return
        self._held[task] = size_bytes

    def _wasteful(self) -> list[str]:
        """Tasks that have deleted what the host could have again."""
        spaces = {task: disk.space for task, disk in self._disks().items()}
        return [task for task, space in spaces.items() if space.backed_bytes - space.used_bytes > TRIM_BYTES]

    def _say(self, has_plenty: bool) -> None:
        if has_plenty and not self._has_plenty:
            log.info("the host's disk has room again: tasks may write as much as their disks hold")
        elif not has_plenty and self._has_plenty:
            log.warning("the host's disk is nearly full: tasks share what is left above the reserve")
