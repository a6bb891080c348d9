"""What /proc tells of processes: who they are, since when, and whose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """A few fields of /proc/PID/stat, proc(5)."""

    pid: int
    state: str
    """One letter; Z is a zombie."""
    parent: int
    session: int
    start_ticks: int
    """Clock ticks from boot to the process's start: with the pid, an identity that is not reused."""


def read_stat(pid: int) -> ProcessStat | None:
    """None if there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in brackets and may hold anything, brackets and spaces included.
    fields = text[text.rindex(")") + 2 :].split()
    return ProcessStat(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def read_cmdline(pid: int) -> tuple[str, ...]:
    """The process's arguments; empty if it is gone, a zombie, or of the kernel."""
    try:
        data = (_PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ()
    return tuple(part.decode(errors="replace") for part in data.rstrip(b"\0").split(b"\0")) if data else ()


def read_ignored_signals(pid: int) -> int:
    """A bit a signal, the lowest for signal 1; none if it is gone."""
    try:
        lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:")), 0)


def list_pids() -> Iterator[int]:
    """All processes of this pid namespace."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def booted_at() -> float:
    """When the machine was started, in seconds since the epoch, as the clock has it now."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Changes with each boot of the machine: pids and start times mean nothing across it."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
