"""What of this host a container's configuration depends on; read once, so that planning stays pure."""

from __future__ import annotations

import platform
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.node.runtime.cgroup.probe import CgroupMounts
from tidegate.node.runtime.oci.capabilities import KERNEL_ORDER, decode_mask
from tidegate.node.runtime.oci.seccomp import Architecture
from tidegate.node.runtime.toolchain import Toolchain, find_program

INIT_PROGRAMS = ("catatonit", "docker-init", "tini-static", "tini")
_PT_INTERP = 3
_LIMITS = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"),
    *("rttime", "sigpending", "stack"),
)
UNLIMITED = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Defaults: a host that can do all, for tests."""

    architecture: Architecture = "x86_64"
    capabilities: frozenset[str] = frozenset(KERNEL_ORDER)
    """Those that we hold and may pass on."""
    hard_limits: Mapping[str, int] = field(default_factory=dict)
    """By ulimit name: above these nothing can be raised without SYS_RESOURCE."""
    init_program: Path | None = None
    """A static program that reaps and forwards signals."""
    can_limit_swap: bool = True
    caches_seccomp: bool = False
    oom_score_adj: int = 0
    """Our own, which containers inherit."""

    @property
    def may_raise_limits(self) -> bool:
        """Hard limits and the OOM score are free to choose."""
        return "SYS_RESOURCE" in self.capabilities


def read_host_facts(tools: Toolchain, mounts: CgroupMounts) -> HostFacts:
    """Look at this process and this machine."""
    return HostFacts(
        architecture="arm64" if platform.machine() == "aarch64" else "x86_64",
        capabilities=_read_capabilities(),
        hard_limits={name: limit for name in _LIMITS if (limit := _hard_limit(name)) is not None},
        init_program=find_init_program(),
        can_limit_swap=_can_limit_swap(mounts),
        caches_seccomp=tools.caches_seccomp,
        oom_score_adj=int(Path("/proc/self/oom_score_adj").read_text()),
    )


def find_init_program() -> Path | None:
    """The first of INIT_PROGRAMS that is installed and needs no library of the host."""
    for name in INIT_PROGRAMS:
        found = find_program(name)
        if found is not None and is_static(found):
            return found
    return None


def is_static(program: Path) -> bool:
    """True for an ELF program (64 bit, little endian) without an interpreter: it runs in any root file system."""
    with program.open("rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            return False
        offset, size, count = (
            int.from_bytes(header[start:end], "little") for start, end in ((32, 40), (54, 56), (56, 58))
        )
        file.seek(offset)
        table = file.read(size * count)
    kinds = (int.from_bytes(table[size * index : size * index + 4], "little") for index in range(count))
    return _PT_INTERP not in kinds


def _read_capabilities() -> frozenset[str]:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return decode_mask(int(line.split()[1], 16))
    return frozenset()


def _hard_limit(name: str) -> int | None:
    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if number is None:
        return None
    hard = resource.getrlimit(number)[1]
    return UNLIMITED if hard == resource.RLIM_INFINITY else hard


def _can_limit_swap(mounts: CgroupMounts) -> bool:
    if "memory" in mounts.v1:
        return (mounts.v1["memory"] / "memory.memsw.limit_in_bytes").exists()
    # The root group of version 2 has no limit files; the feature shows in the kernel's list of swap areas.
    return mounts.v2 is not None and Path("/proc/swaps").exists()
