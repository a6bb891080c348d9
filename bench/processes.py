"""What processes use."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tidegate.kernel.process import list_pids, read_cmdline

_TICKS = os.sysconf("SC_CLK_TCK")


def proportional_kib(pid: int) -> int:
    """Resident memory; pages that are shared count in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def kernel_kib() -> int:
    """What the kernel keeps for itself: slab, stacks, page tables, per-CPU data."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(fields[name].split()[0]) for name in ("Slab", "KernelStack", "PageTables", "Percpu"))


def cpu_seconds(pid: int) -> float:
    """Used by the process so far, its children that it collected aside."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def find_supervisors(directory: Path) -> list[int]:
    """The conmon processes whose files are below `directory`."""
    found = []
    for pid in list_pids():
        words = read_cmdline(pid)
        if words and words[0].endswith("conmon") and any(str(directory) in word for word in words):
            found.append(pid)
    return found


def pin(pid: int, cores: Iterable[int]) -> None:
    """Let all threads of the process run on these cores alone."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), set(cores))
