"""
Black boxes: what is kept of each task for as long as it can be asked about.

    <state>/node/black-boxes/<task id>.json     private, bounded; there before the task is said to be STOPPED

They outlive the task's own directory and go when its record does (`retain`). There are at most MOST_BOXES: a machine
that runs thousands of short tasks keeps those of the last ones.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec
import structlog

from tidegate.kernel import failpoint
from tidegate.model.blackbox import CHANGED_FILES, BlackBox, Changed, ContainerBox, Memory, Probe
from tidegate.model.counters import GroupCounters
from tidegate.node.image.changes import ChangedFile, list_changed_files
from tidegate.node.output.tail import read_tail

log = structlog.get_logger()

MOST_BOXES = 10_000
_SUFFIX = ".json"
_YOUNG_SECONDS = 60
PLACES = ("/proc", "/dev", "/sys", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname")
"""Where something is mounted in every container."""
_SPARE_SHARE = 10
"""How much room is made at once when there are too many: a tenth of them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the kernel had counted of a group while it was there."""

    counters: GroupCounters | None = None
    kills: int = 0

    @property
    def memory(self) -> Memory:
        """Of the black box."""
        if self.counters is None:
            return Memory(kills=self.kills)
        return Memory(
            peak_bytes=self.counters.memory_peak_bytes,
            limit_bytes=self.counters.memory_limit_bytes,
            limit_hits=self.counters.memory_failures,
            kills=self.kills,
        )

    @property
    def cpu_seconds(self) -> float:
        """On all cores."""
        return round(self.counters.cpu_nanoseconds / 1e9, 3) if self.counters is not None else 0.0


@dataclass(frozen=True, slots=True)
class ContainerTraces:
    """Where a container's traces are. log: its supervisor's file. upper: what it wrote."""

    name: str
    log: Path
    upper: Path
    mounted: frozenset[str] = frozenset()
    """Where the task mounts something in it, beside PLACES."""
    probes: tuple[Probe, ...] = ()
    measured: Measured = field(default_factory=Measured)


def collect(task: str, at: float, measured: Measured, traces: Sequence[ContainerTraces], *, is_final: bool) -> BlackBox:
    """Read the traces. Blocks for some milliseconds, or for a second where containers wrote 100,000 files."""
    free, size = _disk(traces)
    return BlackBox(
        task=task,
        at=at,
        is_final=is_final,
        memory=measured.memory,
        cpu_seconds=measured.cpu_seconds,
        disk_free_bytes=free,
        disk_size_bytes=size,
        containers=tuple(map(_container, traces)),
    )


def _container(traces: ContainerTraces) -> ContainerBox:
    lines, is_log_whole = read_tail(traces.log)
    changes = list_changed_files(traces.upper, CHANGED_FILES)
    return ContainerBox(
        name=traces.name,
        log=lines,
        is_log_whole=is_log_whole,
        memory=traces.measured.memory,
        cpu_seconds=traces.measured.cpu_seconds,
        changed=tuple(_its_own(changes.files, {*PLACES, *traces.mounted})),
        is_changed_whole=changes.is_whole,
        written_bytes=changes.written_bytes,
        probes=traces.probes,
    )


def _its_own(files: Sequence[ChangedFile], mounted: set[str]) -> Iterator[Changed]:
    """Without the empty files and directories that were made for something to be mounted there, and what is above."""
    paths = [PurePosixPath(place) for place in mounted]
    made = {str(place) for path in paths for place in (path, *path.parents)}
    for file in files:
        if file.change != "added" or file.size_bytes or file.path not in made:
            yield Changed(path=file.path, change=file.change, size_bytes=file.size_bytes)


def _disk(traces: Sequence[ContainerTraces]) -> tuple[int | None, int | None]:
    for one in traces:
        with suppress(OSError):
            found = os.statvfs(one.upper)
            return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return None, None


class BlackBoxes:
    """Keeps them. Its methods block for as long as the disk takes: call them in a thread."""

    def __init__(self, directory: Path, most: int = MOST_BOXES) -> None:
        self._directory = directory
        self._most = most
        self._count: int | None = None

    def write(self, box: BlackBox) -> None:
        """Keep it; the first one of a task is the fullest, and stays. A full disk costs no more than the box."""
        path = self._path(box.task)
        if path.exists():
            return
        aside = path.with_suffix(".new")
        try:
            failpoint.hit("blackbox.write")
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(box))
            aside.rename(path)
        except OSError as error:
            log.warning("cannot keep a task's black box", task=box.task, why=str(error))
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            return
        self._make_room()

    def read(self, task: str) -> BlackBox | None:
        """None if there is none (any more)."""
        try:
            return msgspec.json.decode(self._path(task).read_bytes(), type=BlackBox)
        except (OSError, msgspec.DecodeError):
            return None

    def retain(self, tasks: Collection[str]) -> None:
        """Drop those of all other tasks, but for young ones: `tasks` may be older than they are."""
        oldest = time.time() - _YOUNG_SECONDS
        for path in self._all():
            if path.name.removesuffix(_SUFFIX) not in tasks and _modified_at(path) < oldest:
                path.unlink(missing_ok=True)
                self._count = None

    def _make_room(self) -> None:
        self._count = len(self._all()) if self._count is None else self._count + 1
        if self._count <= self._most:
            return
        dated: Mapping[Path, float] = {path: _modified_at(path) for path in self._all()}
        for path in sorted(dated, key=dated.__getitem__)[: self._count - self._most + self._most // _SPARE_SHARE]:
            path.unlink(missing_ok=True)
        self._count = None

    def _path(self, task: str) -> Path:
        return self._directory / f"{task}{_SUFFIX}"

    def _all(self) -> list[Path]:
        try:
            return [self._directory / name for name in os.listdir(self._directory)]
        except FileNotFoundError:
            return []


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
