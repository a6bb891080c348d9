"""What is mounted in a container, and which parts of /proc and /sys it does not see or may not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tidegate.model.spec import ContainerSpec, Tmpfs
from tidegate.node.runtime.oci.host import INIT_PROGRAMS, HostFacts
from tidegate.node.runtime.oci.process import INIT_PATH
from tidegate.node.runtime.runtime import RuntimeFailure

DEFAULT_SHARED_MEMORY_MIB = 64

MASKED_PATHS = (
    *("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats"),
    *("/sys/devices/virtual/powercap", "/sys/firmware"),
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_OPPOSITES = {"nosuid": "suid", "nodev": "dev", "noexec": "exec"}

DEVICE_RULES: tuple[dict[str, Any], ...] = (
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
    *({"allow": True, "type": "c", "major": 1, "minor": minor, "access": "rwm"} for minor in (3, 5, 7, 8, 9)),
    *({"allow": True, "type": "c", "major": 5, "minor": minor, "access": "rwm"} for minor in (0, 1, 2)),
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
)
"""Nodes of any device may be made; null, zero, full, random, urandom, tty, console, ptmx and pts be used."""


def plan_mounts(
    container: ContainerSpec, files: Mapping[str, Path], volumes: Mapping[str, Path], host: HostFacts
) -> list[dict[str, Any]]:
    """
    In the order in which they are made; what the task mounts replaces ours of the same place.

    files: path in the container -> file of the host (resolv.conf, hosts, hostname).
    """
    own = [_volume(container, mount.volume, mount.path, mount.read_only, volumes) for mount in container.mounts]
    own += [_tmpfs(tmpfs) for tmpfs in container.tmpfs]
    own.sort(key=lambda mount: len(PurePosixPath(mount["destination"]).parts))
    places = {mount["destination"] for mount in own}
    ours = [*_standard(container.shared_memory_mib or DEFAULT_SHARED_MEMORY_MIB)]
    ours += [_bind(source, path, container.readonly_root) for path, source in files.items()]
    if container.init_process:
        ours.append(_init(container, host))
    return [*(mount for mount in ours if mount["destination"] not in places), *own]


def _standard(shared_memory_mib: int) -> Sequence[dict[str, Any]]:
    quiet = ["nosuid", "noexec", "nodev"]
    shm = [*quiet, "mode=1777", f"size={shared_memory_mib}m"]
    return (
        _mount("/proc", "proc", "proc", quiet),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
        ),
        _mount("/sys", "sysfs", "sysfs", [*quiet, "ro"]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*quiet, "relatime", "ro"]),
        _mount("/dev/mqueue", "mqueue", "mqueue", quiet),
        _mount("/dev/shm", "tmpfs", "shm", shm),  # noqa: S108 - where POSIX shared memory is
    )


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _bind(source: Path, destination: str, read_only: bool) -> dict[str, Any]:
    return _mount(destination, "bind", str(source), ["rbind", "rprivate", "ro" if read_only else "rw"])


def _volume(
    container: ContainerSpec, name: str, path: str, read_only: bool, volumes: Mapping[str, Path]
) -> dict[str, Any]:
    if name not in volumes:
        raise RuntimeFailure("create", f"cannot mount volume {name} in container {container.name}: no such volume")
    return _bind(volumes[name], path, read_only)


def _tmpfs(tmpfs: Tmpfs) -> dict[str, Any]:
    """nosuid, nodev and noexec unless the task says the opposite; its size is not the task's to widen."""
    options = [option for option in tmpfs.options if option != "defaults" and not option.startswith("size=")]
    careful = [option for option, opposite in _OPPOSITES.items() if opposite not in options and option not in options]
    return _mount(tmpfs.path, "tmpfs", "tmpfs", [*careful, *options, f"size={tmpfs.size_mib}m"])


def _init(container: ContainerSpec, host: HostFacts) -> dict[str, Any]:
    if host.init_program is None:
        raise RuntimeFailure(
            "create",
            f"cannot run an init process in container {container.name}: none of {', '.join(INIT_PROGRAMS)}"
            " is installed as a static program (apt-get install catatonit)",
        )
    return _mount(INIT_PATH, "bind", str(host.init_program), ["bind", "rprivate", "ro", "nosuid", "nodev"])
