"""Reads what containers use: from their control groups, the network namespace of their processes, and the host."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tidegate.model.counters import ContainerCounters, InterfaceCount
from tidegate.node.runtime.cgroup.cgroups import Cgroups

_NANOSECONDS = 1_000_000_000
_CPU_FIELDS = 8
"""Of /proc/stat: user to steal. Guests' time is in user's already."""


class CounterReader:
    """path_of: the control group of a container, by task and name."""

    def __init__(self, cgroups: Cgroups, path_of: Callable[[str, str], str], now: Callable[[], float]) -> None:
        self._cgroups = cgroups
        self._path_of = path_of
        self._now = now
        self._host_memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def read(self, task: str, container: str) -> ContainerCounters | None:
        """The counters now; None if it does not run. Takes a quarter of a millisecond."""
        path = self._path_of(task, container)
        group = self._cgroups.counters(path)
        processes = self._cgroups.pids(path) if group is not None else []
        if group is None or not processes:
            return None
        return ContainerCounters(
            read_at=self._now(),
            group=group,
            host_cpu_nanoseconds=read_host_cpu(),
            cores=os.cpu_count() or 1,
            host_memory_bytes=self._host_memory_bytes,
            interfaces=read_interfaces(processes[0]),
        )


def read_host_cpu(proc: Path = Path("/proc")) -> int:
    """Nanoseconds of all cores since the host started, proc(5)."""
    words = (proc / "stat").read_text().partition("\n")[0].split()
    return sum(map(int, words[1 : 1 + _CPU_FIELDS])) * (_NANOSECONDS // os.sysconf("SC_CLK_TCK"))


def read_interfaces(pid: int, proc: Path = Path("/proc")) -> dict[str, InterfaceCount]:
    """Of the network namespace that a process is in; none if it has ended."""
    try:
        lines = (proc / str(pid) / "net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        n = [int(word) for word in rest.split()]
        if name.strip() != "lo" and len(n) >= 12:
            found[name.strip()] = InterfaceCount(
                rx_bytes=n[0],
                rx_packets=n[1],
                rx_errors=n[2],
                rx_dropped=n[3],
                tx_bytes=n[8],
                tx_packets=n[9],
                tx_errors=n[10],
                tx_dropped=n[11],
            )
    return found
