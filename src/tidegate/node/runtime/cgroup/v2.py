"""
Control groups, version 2: one hierarchy, controllers switched on from the top for the groups below.

A group with controllers for its children may hold no process itself, which is how ours are used: processes are in
containers' groups only.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tidegate.model.counters import GroupCounters
from tidegate.node.runtime.cgroup.cgroups import (
    PERIOD_MICROSECONDS,
    CgroupFailure,
    Limits,
    Usage,
    groups_below,
    pids_in,
    read_number,
    read_table,
    read_text,
    rmdir_tree,
    write_value,
)
from tidegate.node.runtime.cgroup.counting import count_v2

_MIB = 1 << 20
_NEEDED = ("cpu", "memory", "pids")
_WANTED = ("cpuset", "io")


class CgroupsV2:
    """Works on the hierarchy that is mounted at `mount`."""

    version = 2

    def __init__(self, mount: Path) -> None:
        self._mount = mount
        available = set(read_text(mount / "cgroup.controllers").split())
        missing = [name for name in _NEEDED if name not in available]
        if missing:
            raise CgroupFailure(f"cannot limit tasks: {mount} has no cgroup controllers {', '.join(missing)}")
        self._controllers = [name for name in (*_NEEDED, *_WANTED) if name in available]

    def create(self, path: str, limits: Limits) -> None:
        directory = self._mount
        for part in Path(path.lstrip("/")).parts:
            self._delegate(directory)
            directory = directory / part
            try:
                directory.mkdir(exist_ok=True)
            except OSError as error:
                raise CgroupFailure(f"cannot make cgroup {directory}: {error.strerror}") from error
        self._delegate(directory)
        self._limit(directory, limits)

    def exists(self, path: str) -> bool:
        return self._directory(path).exists()

    def pids(self, path: str) -> list[int]:
        directory = self._directory(path)
        return pids_in([directory, *groups_below(directory)])

    def kill(self, path: str) -> None:
        directory = self._directory(path)
        if not directory.exists():
            return
        with suppress(CgroupFailure):
            # Since Linux 5.14; reaches what is being forked as well.
            write_value(directory / "cgroup.kill", "1")
            return
        with suppress(CgroupFailure):
            write_value(directory / "pids.max", "0")
        for pid in self.pids(path):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def oom_kills(self, path: str) -> int:
        local = read_table(self._directory(path) / "memory.events.local")
        return local.get("oom_kill", 0)

    def usage(self, path: str) -> Usage | None:
        directory = self._directory(path)
        if not directory.exists():
            return None
        cpu = read_table(directory / "cpu.stat")
        return Usage(
            cpu_nanoseconds=cpu.get("usage_usec", 0) * 1000,
            cpu_user_nanoseconds=cpu.get("user_usec", 0) * 1000,
            cpu_system_nanoseconds=cpu.get("system_usec", 0) * 1000,
            throttled_nanoseconds=cpu.get("throttled_usec", 0) * 1000,
            memory_bytes=read_number(directory / "memory.current"),
            memory_cache_bytes=read_table(directory / "memory.stat").get("inactive_file", 0),
            memory_limit_bytes=self._memory_limit(path),
            pids=read_number(directory / "pids.current"),
        )

    def counters(self, path: str) -> GroupCounters | None:
        directory = self._directory(path)
        return count_v2(directory, self._memory_limit(path)) if directory.exists() else None

    def list(self, path: str) -> set[str]:
        directory = self._directory(path)
        return {entry.name for entry in directory.iterdir() if entry.is_dir()} if directory.is_dir() else set()

    def rmdir(self, path: str) -> bool:
        return rmdir_tree(self._directory(path))

    def _directory(self, path: str) -> Path:
        return self._mount / path.lstrip("/")

    def _delegate(self, directory: Path) -> None:
        enabled = set(read_text(directory / "cgroup.subtree_control").split())
        for name in self._controllers:
            if name in enabled:
                continue
            try:
                write_value(directory / "cgroup.subtree_control", f"+{name}")
            except CgroupFailure:
                if name in _NEEDED:
                    raise

    def _limit(self, directory: Path, limits: Limits) -> None:
        quota = limits.cpu_quota_microseconds
        if quota is not None:
            write_value(directory / "cpu.weight", str(shares_to_weight(max(limits.cpu_units or 0, 2))))
            write_value(directory / "cpu.max", f"{quota} {PERIOD_MICROSECONDS}")
            if (directory / "cpu.max.burst").exists():
                write_value(directory / "cpu.max.burst", str(quota))
        if limits.memory_mib is not None:
            write_value(directory / "memory.max", str(limits.memory_mib * _MIB))
            if (directory / "memory.swap.max").exists():
                write_value(directory / "memory.swap.max", "0")
        if limits.pids is not None:
            write_value(directory / "pids.max", str(limits.pids))

    def _memory_limit(self, path: str) -> int | None:
        """The least limit on the way from the group to the root: that one binds."""
        limits = []
        directory = self._directory(path)
        while directory != self._mount:
            limits.append(read_number(directory / "memory.max"))
            directory = directory.parent
        return min((limit for limit in limits if limit), default=None)


def shares_to_weight(shares: int) -> int:
    """Version 1's CPU shares (2 to 262144) on version 2's scale (1 to 10000), as OCI runtimes do."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9_999 // 262_142
