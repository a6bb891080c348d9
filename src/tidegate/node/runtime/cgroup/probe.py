"""Which control groups this host has: told from what is mounted, not from the kernel's version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tidegate.node.runtime.cgroup.cgroups import CgroupFailure, Cgroups, read_text
from tidegate.node.runtime.cgroup.v1 import CgroupsV1
from tidegate.node.runtime.cgroup.v2 import CgroupsV2

_V1_CONTROLLERS = frozenset({"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"})


@dataclass(frozen=True, slots=True)
class CgroupMounts:
    """What is mounted: v1 hierarchies by controller (a named one by its name), and version 2's."""

    v1: dict[str, Path]
    v2: Path | None

    @property
    def is_hybrid(self) -> bool:
        """Version 2 is mounted beside version 1, which some runtimes refuse."""
        return bool(self.v1) and self.v2 is not None


def read_mounts(mountinfo: Path = Path("/proc/self/mountinfo")) -> CgroupMounts:
    """Read from mountinfo, proc(5). Of several mounts of a hierarchy the first counts."""
    v1: dict[str, Path] = {}
    v2: Path | None = None
    for root, point, kind, options in _parse(mountinfo.read_text(errors="replace").splitlines()):
        # A mount of a part of the hierarchy (as containers see) can't hold groups at the paths we name.
        if root != "/":
            continue
        if kind == "cgroup2" and v2 is None:
            v2 = point
        elif kind == "cgroup":
            for option in options:
                if option in _V1_CONTROLLERS or option.startswith("name="):
                    v1.setdefault(option, point)
    return CgroupMounts(v1, v2)


def find_cgroups(mounts: CgroupMounts | None = None) -> Cgroups:
    """The control groups to work with: version 1 where its controllers are, else 2. Raises CgroupFailure."""
    mounts = mounts or read_mounts()
    if "memory" in mounts.v1:
        return CgroupsV1(mounts.v1, mounts.v2)
    if mounts.v2 is not None and read_text(mounts.v2 / "cgroup.controllers"):
        return CgroupsV2(mounts.v2)
    raise CgroupFailure("cannot limit tasks: no cgroup file system with a memory controller is mounted")


def _parse(lines: Iterable[str]) -> Iterable[tuple[str, Path, str, list[str]]]:
    for line in lines:
        before, separator, after = line.partition(" - ")
        if not separator:
            continue
        fields, tail = before.split(), after.split()
        yield fields[3], Path(fields[4]), tail[0], tail[2].split(",")
