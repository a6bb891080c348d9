"""What this host can do for Tidegate, and what to do about what it can't."""

from __future__ import annotations

import ctypes.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio

from tidegate.kernel.kvm_probe import probe_kvm
from tidegate.node.agent.capacity import default_reserve_mib, read_memory
from tidegate.node.runtime.cgroup.probe import read_mounts
from tidegate.node.runtime.probe import NoRuntime, find_toolchain
from tidegate.node.runtime.toolbox import is_static
from tidegate.node.runtime.toolchain import Kind, find_program
from tidegate.node.volume.probe import choose_scratch
from tidegate.node.volume.scratch import ScratchKind
from tidegate.server.doctor_host import read_connections, read_forwarding, read_security_modules
from tidegate.server.doctor_trial import try_a_container

State = Literal["ok", "warning", "missing"]

OLDEST_KERNEL = (5, 10)
LOW_DISK_GIB = 5
KINDS_OF_SCRATCH: dict[ScratchKind, str] = {
    "quota": "limited: each by a project quota",
    "loop": "limited: each a file system of its own, in a sparse file",
    "unlimited": "not limited: ephemeralStorage is refused",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, what to do. `missing`: tasks can't run without it."""

    subject: str
    state: State
    found: str
    remedy: str = ""


def examine(state_directory: Path) -> Iterator[Finding]:
    """All findings, each as soon as it is known."""
    for check in (_user, _kernel, _cgroups, _overlay, _erofs):
        yield check()
    yield from _runtimes()
    yield from _trial()
    for check in (_supervisor, _init, _shell, _nftables, _skopeo, _kvm, _memory):
        yield check()
    for subject, said in (
        ("forwarding", read_forwarding()),
        ("connections", read_connections()),
        ("LSM", read_security_modules()),
    ):
        yield Finding(subject, "ok" if said.is_well else "warning", said.found, said.remedy)
    yield _disk(state_directory)
    yield _scratch(state_directory)


def _user() -> Finding:
    if os.geteuid() == 0:
        return Finding("user", "ok", "root")
    return Finding("user", "missing", f"uid {os.geteuid()}", "run tidegate as root: it makes namespaces and mounts")


def _kernel() -> Finding:
    release = platform.release()
    numbers = tuple(int(n) for n in release.replace("-", ".").split(".")[:2] if n.isdigit())
    if numbers >= OLDEST_KERNEL:
        return Finding("kernel", "ok", release)
    return Finding("kernel", "warning", release, "Tidegate is tested on Linux 5.10 and later; update the host")


def _cgroups() -> Finding:
    mounts = read_mounts()
    if mounts.is_hybrid:
        return Finding("cgroups", "ok", "hybrid: limits by v1; crun is started without the unified hierarchy in sight")
    if mounts.v1:
        return Finding("cgroups", "ok", f"v1: {', '.join(sorted(mounts.v1))}")
    if mounts.v2 is not None:
        return Finding("cgroups", "ok", f"v2 at {mounts.v2}")
    return Finding("cgroups", "missing", "not mounted", "mount -t cgroup2 none /sys/fs/cgroup")


def _has_file_system(name: str) -> bool:
    return any(line.split()[-1] == name for line in Path("/proc/filesystems").read_text().splitlines())


def _overlay() -> Finding:
    if _has_file_system("overlay"):
        return Finding("overlayfs", "ok", "in the kernel")
    return Finding("overlayfs", "missing", "not in the kernel", "modprobe overlay")


def _erofs() -> Finding:
    if _has_file_system("erofs"):
        return Finding("erofs", "ok", "in the kernel: a layer is one read-only file")
    return Finding("erofs", "warning", "not in the kernel: layers are kept as directories", "modprobe erofs")


def _runtimes() -> Iterator[Finding]:
    kinds: tuple[Kind, ...] = ("crun", "runc")
    found: dict[Kind, str] = {}
    for kind in kinds:
        try:
            found[kind] = ".".join(map(str, find_toolchain(kind).version))
        except NoRuntime as error:
            found[kind] = ""
            yield Finding(
                kind,
                "warning" if any(find_program(k) for k in kinds) else "missing",
                str(error),
                f"apt install {kind}",
            )
        else:
            yield Finding(kind, "ok", found[kind] or "found")


def _trial() -> Iterator[Finding]:
    if os.geteuid() != 0:
        yield Finding("trial", "warning", "not tried: it takes root", "run tidegate doctor as root")
        return
    works, refused = try_a_container()
    for reason in refused if works else ():
        yield Finding("trial", "warning", reason, f"{works} is used instead")
    if works:
        yield Finding("trial", "ok", f"a container starts and ends with {works}")
    else:
        yield Finding("trial", "missing", "; ".join(refused), "see the lines above")


def _supervisor() -> Finding:
    return _program("conmon", "keeps containers alive when the server ends", "missing")


def _init() -> Finding:
    return _program("catatonit", "needed by initProcessEnabled", "warning")


def _shell() -> Finding:
    program = find_program("busybox")
    if program is not None and is_static(program):
        return Finding("busybox", "ok", f"{program}: static; a shell for containers that have none")
    found = "not found" if program is None else f"{program} is not static"
    without = f"{found}; it is the shell of `tidegate exec` in containers that have none"
    return Finding("busybox", "warning", without, "apt install busybox-static")


def _skopeo() -> Finding:
    return _program("skopeo", "pulls and exports images", "warning")


def _program(name: str, purpose: str, without: State) -> Finding:
    path = find_program(name)
    if path is not None:
        return Finding(name, "ok", str(path))
    return Finding(name, without, f"not found; it {purpose}", f"apt install {name}")


def _nftables() -> Finding:
    library = ctypes.util.find_library("nftables")
    if library is None:
        return Finding("nftables", "missing", "no libnftables", "apt install libnftables1")
    return Finding("nftables", "ok", library)


def _kvm() -> Finding:
    verdict = probe_kvm()
    if verdict.works:
        return Finding("KVM", "ok", verdict.reason)
    return Finding(
        "KVM", "warning", verdict.reason, "only microVM isolation needs it; enable (nested) virtualisation on the host"
    )


def _memory() -> Finding:
    memory = read_memory()
    reserve = default_reserve_mib(memory.total_mib)
    free = memory.available_mib - reserve
    found = f"{memory.available_mib} of {memory.total_mib} MiB available, {reserve} kept for the host"
    if free < 512:
        return Finding("memory", "warning", found, "end something, or lower --reserve-memory")
    return Finding("memory", "ok", found)


def _scratch(state_directory: Path) -> Finding:
    """Made and filled, as at the start of a server."""
    subject, remedy = "task disks", "apt install e2fsprogs; modprobe loop; in a container: --privileged"
    if os.geteuid() != 0:
        return Finding(subject, "warning", "not tried: only root can make one", "run tidegate doctor as root")
    with tempfile.TemporaryDirectory(dir=_existing(state_directory), prefix=".tidegate-doctor-") as made:
        try:
            choice = anyio.run(choose_scratch, Path(made, "scratch"), backend="asyncio")
        except OSError as error:
            return Finding(subject, "warning", f"not limited: {error}", remedy)
    found = KINDS_OF_SCRATCH[choice.scratch.kind]
    if choice.scratch.kind == "unlimited":
        return Finding(subject, "warning", f"{found} ({'; '.join(choice.refused)})", remedy)
    return Finding(subject, "ok", found)


def _existing(directory: Path) -> Path:
    return next(p for p in (directory, *directory.absolute().parents) if p.exists())


def _disk(state_directory: Path) -> Finding:
    place = _existing(state_directory)
    free_gib = shutil.disk_usage(place).free / 2**30
    if free_gib < LOW_DISK_GIB:
        return Finding(
            "disk", "warning", f"{free_gib:.1f} GiB free at {place}", "free some, or use another --state-dir"
        )
    return Finding("disk", "ok", f"{free_gib:.1f} GiB free at {place}")
