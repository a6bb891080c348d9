"""
The contract of control groups, and what is common to its two implementations.

Paths are below the root of the hierarchy and start with a slash: `/tidegate-1f2e3d4c/<task>/<container>`. A task's
group is made here with the task's limits; those of its containers are made below it by the OCI runtime.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio

from tidegate.model.counters import GroupCounters

PERIOD_MICROSECONDS = 100_000
"""Over which a CPU quota is counted; the kernel's default."""
_LEAST_QUOTA_MICROSECONDS = 1_000
_EMPTY_POLL_SECONDS = 0.005


class CgroupFailure(OSError):
    """A control group could not be made, limited or removed; the message names file and reason."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group may use; None: as much as its parent."""

    cpu_units: int | None = None
    """1024 = one core."""
    memory_mib: int | None = None
    pids: int | None = None

    @property
    def cpu_quota_microseconds(self) -> int | None:
        """Time on CPUs per period."""
        if not self.cpu_units:
            return None
        return max(self.cpu_units * PERIOD_MICROSECONDS // 1024, _LEAST_QUOTA_MICROSECONDS)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a group and all below it have used, now."""

    cpu_nanoseconds: int
    cpu_user_nanoseconds: int
    cpu_system_nanoseconds: int
    throttled_nanoseconds: int
    """Time that the CPU quota took away."""
    memory_bytes: int
    """Resident, with the page cache."""
    memory_cache_bytes: int
    """Of these, file pages that the kernel can drop at once (inactive)."""
    memory_limit_bytes: int | None
    pids: int


class Cgroups(Protocol):
    """Implementations: `CgroupsV1` (hybrid too), `CgroupsV2`; one contract suite."""

    version: int

    def create(self, path: str, limits: Limits) -> None:
        """Make the group and its parents, and set its limits; one that is there gets the limits. CgroupFailure."""

    def exists(self, path: str) -> bool:
        """True if any part of the group is there."""

    def pids(self, path: str) -> list[int]:
        """The processes in the group and below it."""

    def kill(self, path: str) -> None:
        """SIGKILL to all in the group and below it, those included that are being forked. A group gone is no error."""

    def oom_kills(self, path: str) -> int:
        """How many processes of this group alone the kernel killed for want of memory; 0 if the group is gone."""

    def usage(self, path: str) -> Usage | None:
        """None if the group is gone."""

    def counters(self, path: str) -> GroupCounters | None:
        """All that it counts; None if the group is gone."""

    def list(self, path: str) -> set[str]:
        """The names of the groups right below `path`."""

    def rmdir(self, path: str) -> bool:
        """Remove the group and all below it where no process is left; True if nothing of it remains."""


async def remove_group(cgroups: Cgroups, path: str, timeout_seconds: float = 10) -> None:
    """Kill what runs in the group and remove it with all below. Idempotent. Raises CgroupFailure."""
    with anyio.move_on_after(timeout_seconds):
        while cgroups.exists(path):
            cgroups.kill(path)
            if cgroups.rmdir(path):
                return
            await anyio.sleep(_EMPTY_POLL_SECONDS)
        return
    raise CgroupFailure(f"cannot remove cgroup {path}: processes {cgroups.pids(path)[:5]} do not end")


def write_value(file: Path, value: str) -> None:
    """Write a control file. Raises CgroupFailure."""
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise CgroupFailure(f"cannot write {value!r} to {file}: {error.strerror}") from error


def read_text(file: Path) -> str:
    """The content of a control file; empty if the group or the file is not there."""
    try:
        return file.read_text()
    except (FileNotFoundError, NotADirectoryError, OSError):
        return ""


def read_number(file: Path) -> int:
    """A control file of one number; 0 if it is not there or says `max`."""
    text = read_text(file).strip()
    return int(text) if text.isdigit() else 0


def read_table(file: Path) -> dict[str, int]:
    """A control file of lines `name number`."""
    rows = (line.split() for line in read_text(file).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].lstrip("-").isdigit()}


def groups_below(directory: Path) -> list[Path]:
    """The directories of the groups below (not `directory` itself), deepest first."""
    found = [Path(root) for root, _, _ in os.walk(directory)]
    return sorted((path for path in found if path != directory), key=lambda path: len(path.parts), reverse=True)


def pids_in(directories: Iterable[Path]) -> list[int]:
    """The processes in exactly these groups."""
    return sorted({int(pid) for directory in directories for pid in read_text(directory / "cgroup.procs").split()})


def rmdir_tree(directory: Path) -> bool:
    """Remove a group and all below it; False if a process is in the way. One that is gone is no error."""
    for path in [*groups_below(directory), directory]:
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True
