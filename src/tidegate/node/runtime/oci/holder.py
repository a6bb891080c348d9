"""
The container that holds the process namespace of a task whose containers share one: a pause program, and nothing else.

It is process 1 for all of them: it reaps what they leave behind, and the kernel ends all of them when it ends. Pure, as
`config` is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tidegate.node.runtime.oci.host import HostFacts
from tidegate.node.runtime.oci.mounts import MASKED_PATHS, READONLY_PATHS
from tidegate.node.runtime.oci.seccomp import plan_seccomp
from tidegate.node.runtime.runtime import RuntimeFailure

PAUSE_PROGRAM = "catatonit"
_PATH_INSIDE = "/pause"
_NOBODY = 65_534
_MEMORY_BYTES = 8 << 20
_PIDS = 8


def plan_holder(rootfs: Path, cgroup: str, network_namespace: Path, host: HostFacts) -> dict[str, Any]:
    """rootfs: an empty directory. Raises RuntimeFailure where this host has no static program that can pause."""
    program = host.init_program
    if program is None or program.name != PAUSE_PROGRAM:
        raise RuntimeFailure(
            "create",
            f"cannot share processes among containers: {PAUSE_PROGRAM} is not installed as a static program "
            f"(apt-get install {PAUSE_PROGRAM})",
        )
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": _NOBODY, "gid": _NOBODY},
            "args": [_PATH_INSIDE, "-P"],
            "env": ["PATH=/"],
            "cwd": "/",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(rootfs), "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            {"destination": _PATH_INSIDE, "type": "bind", "source": str(program), "options": ["bind", "ro", "nosuid"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")),
                {"type": "network", "path": str(network_namespace)},
            ],
            "resources": {"memory": {"limit": _MEMORY_BYTES}, "pids": {"limit": _PIDS}},
            "seccomp": plan_seccomp((), host.architecture, all_architectures=host.caches_seccomp),
            "maskedPaths": list(MASKED_PATHS),
            "readonlyPaths": list(READONLY_PATHS),
        },
    }
