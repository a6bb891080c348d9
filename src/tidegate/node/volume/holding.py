"""
How much of its disk each task may not write to: a pure function of what the host has left and of what tasks have.

Tasks' disks take room on the host as they are written, so that all of them together may promise more than there is. As
long as the host has plenty, nothing is held back but what a task's images take. When it has little, what is left above
a reserve is shared out: tasks see ENOSPC, which programs know, rather than a disk that loses what they wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.node.volume.scratch import GIB, Space

MOST_RESERVE_BYTES = 2 * GIB
_RESERVE_SHARE = 20
_PLENTY_RESERVES = 4
_DIRTY_SHARE = 5
"""Linux holds a fifth of its memory in writes that have not reached the disk (vm.dirty_ratio)."""


@dataclass(frozen=True, slots=True)
class Host:
    """Of the file system that the disks lie on. memory_bytes: of the machine."""

    size_bytes: int
    free_bytes: int
    memory_bytes: int
    reserve_bytes: int
    """Kept for the host: records, logs, images, and whatever else is on that disk."""

    @property
    def has_plenty(self) -> bool:
        """More than tasks can write, or have in memory still to be written, before it is looked at again."""
        plenty = _PLENTY_RESERVES * self.reserve_bytes + self.memory_bytes // _DIRTY_SHARE
        return self.free_bytes > self.reserve_bytes + plenty


@dataclass(frozen=True, slots=True)
class Disk:
    """A task's. kept_bytes: what its images take."""

    space: Space
    kept_bytes: int = 0


def default_reserve_bytes(size_bytes: int) -> int:
    """A twentieth of the disk, at most 2 GiB."""
    return min(size_bytes // _RESERVE_SHARE, MOST_RESERVE_BYTES)


def headroom_bytes(host: Host, disks: Mapping[str, Disk]) -> int:
    """What tasks together may still write: what is free, less the reserve and what they have written but in memory."""
    pending = sum(disk.space.pending_bytes for disk in disks.values())
    return max(0, host.free_bytes - host.reserve_bytes - pending)


def plan_holds(host: Host, disks: Mapping[str, Disk]) -> dict[str, int]:
    """Bytes to hold back of each task's disk."""
    if host.has_plenty or not disks:
        return {task: disk.kept_bytes for task, disk in disks.items()}
    share = headroom_bytes(host, disks) // len(disks)
    return {
        task: max(disk.kept_bytes, disk.space.size_bytes - disk.space.used_bytes - share)
        for task, disk in disks.items()
    }
