"""
Control groups, version 1: one hierarchy per controller. A hybrid host, too, has its CPU and memory controllers here.

A group is a directory of the same name in each hierarchy. The OCI runtime makes containers' groups in all of them, so
removing looks into all of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
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
    rmdir_tree,
    write_value,
)
from tidegate.node.runtime.cgroup.counting import UNLIMITED_BYTES, count_v1

_MIB = 1 << 20


class CgroupsV1:
    """
    Works on the hierarchies it is given: controller name -> where that one is mounted.

    unified: version 2's mount on a hybrid host. It limits nothing, but runc makes groups there, too.
    """

    version = 1

    def __init__(self, mounts: Mapping[str, Path], unified: Path | None = None) -> None:
        missing = [name for name in ("cpu", "memory", "pids") if name not in mounts]
        if missing:
            raise CgroupFailure(f"cannot limit tasks: cgroup controllers {', '.join(missing)} are not mounted")
        self._mounts = dict(mounts)
        self._hierarchies = tuple(dict.fromkeys([*mounts.values(), *([unified] if unified else [])]))

    def create(self, path: str, limits: Limits) -> None:
        for controller in ("cpu", "memory", "pids"):
            directory = self._directory(controller, path)
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CgroupFailure(f"cannot make cgroup {directory}: {error.strerror}") from error
        self._limit_cpu(self._directory("cpu", path), limits)
        self._limit_memory(self._directory("memory", path), limits)
        if limits.pids is not None:
            write_value(self._directory("pids", path) / "pids.max", str(limits.pids))

    def exists(self, path: str) -> bool:
        return any((mount / path.lstrip("/")).exists() for mount in self._hierarchies)

    def pids(self, path: str) -> list[int]:
        directory = self._directory("pids", path)
        return pids_in([directory, *groups_below(directory)])

    def kill(self, path: str) -> None:
        directory = self._directory("pids", path)
        with suppress(CgroupFailure):
            # Nothing can be forked from here on, so that one pass finds all.
            write_value(directory / "pids.max", "0")
        for pid in self.pids(path):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def oom_kills(self, path: str) -> int:
        return read_table(self._directory("memory", path) / "memory.oom_control").get("oom_kill", 0)

    def usage(self, path: str) -> Usage | None:
        memory = self._directory("memory", path)
        if not memory.exists():
            return None
        accounting = self._directory("cpuacct" if "cpuacct" in self._mounts else "cpu", path)
        limit = read_table(memory / "memory.stat").get("hierarchical_memory_limit", UNLIMITED_BYTES)
        return Usage(
            cpu_nanoseconds=read_number(accounting / "cpuacct.usage"),
            cpu_user_nanoseconds=read_number(accounting / "cpuacct.usage_user"),
            cpu_system_nanoseconds=read_number(accounting / "cpuacct.usage_sys"),
            throttled_nanoseconds=read_table(self._directory("cpu", path) / "cpu.stat").get("throttled_time", 0),
            memory_bytes=read_number(memory / "memory.usage_in_bytes"),
            memory_cache_bytes=read_table(memory / "memory.stat").get("total_inactive_file", 0),
            memory_limit_bytes=limit if limit < UNLIMITED_BYTES else None,
            pids=read_number(self._directory("pids", path) / "pids.current"),
        )

    def counters(self, path: str) -> GroupCounters | None:
        memory = self._directory("memory", path)
        if not memory.exists():
            return None
        accounting = self._directory("cpuacct" if "cpuacct" in self._mounts else "cpu", path)
        blkio = self._directory("blkio", path) if "blkio" in self._mounts else None
        return count_v1(self._directory("cpu", path), accounting, memory, self._directory("pids", path), blkio)

    def list(self, path: str) -> set[str]:
        directories = (mount / path.lstrip("/") for mount in self._hierarchies)
        return {
            entry.name
            for directory in directories
            if directory.is_dir()
            for entry in directory.iterdir()
            if entry.is_dir()
        }

    def rmdir(self, path: str) -> bool:
        removed = [rmdir_tree(mount / path.lstrip("/")) for mount in self._hierarchies]
        return all(removed)

    def _directory(self, controller: str, path: str) -> Path:
        return self._mounts[controller] / path.lstrip("/")

    def _limit_cpu(self, directory: Path, limits: Limits) -> None:
        quota = limits.cpu_quota_microseconds
        if quota is None:
            return
        write_value(directory / "cpu.shares", str(max(limits.cpu_units or 0, 2)))
        write_value(directory / "cpu.cfs_period_us", str(PERIOD_MICROSECONDS))
        write_value(directory / "cpu.cfs_quota_us", str(quota))
        if (directory / "cpu.cfs_burst_us").exists():
            write_value(directory / "cpu.cfs_burst_us", str(quota))

    def _limit_memory(self, directory: Path, limits: Limits) -> None:
        if limits.memory_mib is None:
            return
        limit = str(limits.memory_mib * _MIB)
        swap = directory / "memory.memsw.limit_in_bytes"
        # The limit with swap is never below the one without: which comes first depends on the direction.
        if swap.exists() and read_number(swap) > limits.memory_mib * _MIB:
            write_value(directory / "memory.limit_in_bytes", limit)
            write_value(swap, limit)
            return
        if swap.exists():
            write_value(swap, limit)
        write_value(directory / "memory.limit_in_bytes", limit)
