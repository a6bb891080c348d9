"""
What this machine has left for tasks.

Limits bind per task, and idle tasks use little; so by default what counts is what is really free: available memory
less a reserve, and no pressure on memory. A task that was admitted a moment ago has not used its memory yet, so each
young task is expected to take ALLOWANCE_MIB. With `is_strict`, what tasks declare is reserved for them instead.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tidegate.model.spec import TaskSpec
from tidegate.model.status import Node

ALLOWANCE_MIB = 16
"""More than an idle task takes (1.2 MiB of ours and a small process)."""
PRESSURE_LIMIT_PERCENT = 20.0
"""Of the last ten seconds, how much some process may have stalled on memory before no more tasks are taken."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the host, in MiB."""

    total_mib: int
    available_mib: int
    pressure_percent: float = 0.0


class Storage(Protocol):
    """The disk that tasks write to."""

    def pressure(self) -> str:
        """Why no more tasks should come; empty while there is room for what they write. Raises OSError."""

    def size_gib(self) -> int | None:
        """What their disks may take in all; None: they are not limited. Raises OSError."""


class NoStorage:
    """Of a node whose tasks have no disks."""

    def pressure(self) -> str:
        """See Storage."""
        return ""

    def size_gib(self) -> int | None:
        """See Storage."""
        return None


def read_memory(proc: Path = Path("/proc")) -> Memory:
    """The host's memory now. Hosts without pressure information count as without pressure."""
    fields = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines())
    kib = {name: int(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable")}
    try:
        some = (proc / "pressure/memory").read_text().split()
        pressure = float(next(word for word in some if word.startswith("avg10=")).removeprefix("avg10="))
    except (OSError, StopIteration):
        pressure = 0.0
    return Memory(kib["MemTotal"] // 1024, kib["MemAvailable"] // 1024, pressure)


def default_reserve_mib(total_mib: int) -> int:
    """What is kept for the host: a twentieth, at least 256 MiB, at most 2 GiB."""
    return min(2048, max(256, total_mib // 20))


class Capacity:
    """Makes the Node that placement sees."""

    def __init__(
        self,
        node: str,
        reserve_mib: int | None = None,
        *,
        is_strict: bool = False,
        memory: Callable[[], Memory] = read_memory,
        storage: Storage | None = None,
        cores: int | None = None,
    ) -> None:
        self._node = node
        self._memory = memory
        self._storage = storage or NoStorage()
        self._is_strict = is_strict
        self._cores = cores or os.cpu_count() or 1
        self._reserve_mib = default_reserve_mib(memory().total_mib) if reserve_mib is None else reserve_mib
        self._architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"

    def node(self, tasks: Sequence[TaskSpec], starting: int = 0) -> Node:
        """This machine, with `tasks` on it, of which `starting` have not come to use their memory yet."""
        memory = self._memory()
        total_mib = max(0, memory.total_mib - self._reserve_mib)
        total_cpu = self._cores * 1024
        declared_mib = sum(task.memory_mib for task in tasks)
        declared_cpu = sum(task.cpu_units for task in tasks)
        really_free_mib = memory.available_mib - self._reserve_mib - starting * ALLOWANCE_MIB
        is_pressed = not self._is_strict and memory.pressure_percent > PRESSURE_LIMIT_PERCENT
        reason = f"memory pressure is {memory.pressure_percent:g} %" if is_pressed else self._storage.pressure()
        storage_gib = self._storage.size_gib() if self._is_strict else None
        declared_gib = sum(task.ephemeral_storage_gib for task in tasks)
        return Node(
            id=self._node,
            availability_zone="",
            architecture=self._architecture,
            schedulable=not reason,
            reason=reason,
            total_cpu_units=total_cpu,
            total_memory_mib=total_mib,
            free_cpu_units=total_cpu - declared_cpu if self._is_strict else total_cpu,
            free_memory_mib=total_mib - declared_mib if self._is_strict else really_free_mib,
            task_memory_mib=0 if self._is_strict else ALLOWANCE_MIB,
            free_storage_gib=None if storage_gib is None else storage_gib - declared_gib,
            total_storage_gib=storage_gib,
        )
