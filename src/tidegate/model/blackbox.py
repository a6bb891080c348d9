"""
What is kept of a task beyond its status: enough to find out why it died, when nothing of it is left.

It holds what the containers said and did, never what they were given: no environment, no secret.
"""

from __future__ import annotations

from typing import Literal

import msgspec

LOG_LINES = 200
LOG_BYTES = 64 * 1024
"""Of each container, the last ones."""
LINE_BYTES = 8 * 1024
"""Of one line; the rest is cut off."""
CHANGED_FILES = 500
"""Of each container."""
PROBES = 3
"""Health checks, the last ones."""
PROBE_BYTES = 2048


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base. Times are seconds since the epoch."""


class LogLine(Part, frozen=True, kw_only=True):
    """Of a container's output."""

    at: float
    stream: Literal["stdout", "stderr"]
    text: str


class Changed(Part, frozen=True, kw_only=True):
    """A file that the container added, changed or deleted."""

    path: str
    change: Literal["added", "changed", "deleted"]
    size_bytes: int = 0


class Probe(Part, frozen=True, kw_only=True):
    """A health check that was run. code: None when its time limit passed or it could not be run."""

    at: float
    code: int | None = None
    output: str = ""


class Memory(Part, frozen=True, kw_only=True):
    """Of a control group. peak and limit: None where the kernel does not tell, or there is none."""

    peak_bytes: int | None = None
    limit_bytes: int | None = None
    limit_hits: int = 0
    """How often the limit was in the way."""
    kills: int = 0
    """Processes that the kernel killed for want of memory."""


class ContainerBox(Part, frozen=True, kw_only=True):
    """Of one container; its last life, if it had several."""

    name: str
    log: tuple[LogLine, ...] = ()
    is_log_whole: bool = True
    """There was no more than this."""
    memory: Memory = Memory()
    cpu_seconds: float = 0
    changed: tuple[Changed, ...] = ()
    is_changed_whole: bool = True
    written_bytes: int = 0
    probes: tuple[Probe, ...] = ()


class BlackBox(Part, frozen=True, kw_only=True):
    """Of one task, as it was at `at`: at its end, or now."""

    task: str
    at: float
    is_final: bool = False
    memory: Memory = Memory()
    cpu_seconds: float = 0
    disk_free_bytes: int | None = None
    disk_size_bytes: int | None = None
    """Of the disk that the containers wrote to."""
    containers: tuple[ContainerBox, ...] = ()
