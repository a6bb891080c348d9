"""
Finds out which runtime works here by running a trivial container with it: crun first, runc where crun can't.

Needs no image: the container's root is an empty directory with a static program bound into it.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from tidegate.kernel.spawn import Spawner
from tidegate.node.runtime.cgroup.cgroups import Cgroups, Limits, remove_group
from tidegate.node.runtime.cgroup.probe import CgroupMounts
from tidegate.node.runtime.conmon import ConmonRuntime
from tidegate.node.runtime.oci.host import find_init_program
from tidegate.node.runtime.probe import NoRuntime, find_toolchain, plan_spawner
from tidegate.node.runtime.runtime import Bundle, RuntimeFailure
from tidegate.node.runtime.toolchain import Kind, Toolchain

TRIAL_SECONDS = 10.0
_KINDS: tuple[Kind, ...] = ("crun", "runc")


@dataclass(frozen=True, slots=True)
class Found:
    """tools and spawner: for ConmonRuntime. refused: what does not work here and why, one line each, for `doctor`."""

    tools: Toolchain
    spawner: Spawner
    refused: tuple[str, ...] = ()


async def find_runtime(state: Path, parent: str, cgroups: Cgroups, mounts: CgroupMounts) -> Found:
    """
    The first of crun and runc with which a container starts and ends.

    state: a directory below a shared mount (see `kernel.shared_mount`). parent: the cgroup for the trial. Without a
    static program to try with, the first that is installed is taken on trust. Raises NoRuntime with all reasons.
    """
    refused = []
    can_try = find_init_program() is not None
    for kind in _KINDS:
        try:
            tools = find_toolchain(kind)
        except NoRuntime as error:
            refused.append(f"{kind}: {error}")
            continue
        spawner = plan_spawner(kind, mounts)
        why = await try_runtime(tools, spawner, state, parent, cgroups) if can_try else ""
        if not why:
            return Found(tools, spawner, tuple(refused))
        spawner.close()
        refused.append(f"{kind}: {why}")
    raise NoRuntime("cannot run containers: " + "; ".join(refused))


async def try_runtime(tools: Toolchain, spawner: Spawner, state: Path, parent: str, cgroups: Cgroups) -> str:
    """Run a container to its end; returns why it failed, empty if it did not. Leaves nothing behind."""
    name = f"trial-{uuid.uuid4().hex[:8]}"
    directory = state / name
    bundle = Bundle(name, directory, f"{parent}/{name}")
    try:
        _make_directories(directory)
        cgroups.create(parent, Limits())
        runtime = ConmonRuntime(tools, directory / "oci", cgroups, spawner, create_timeout_seconds=TRIAL_SECONDS)
        container = await runtime.create(bundle, plan_trial(bundle))
        try:
            await container.start()
            with anyio.fail_after(TRIAL_SECONDS):
                await container.wait()
        finally:
            await container.remove()
    except TimeoutError:
        return f"a trial container did not end in {TRIAL_SECONDS:g} s"
    except (RuntimeFailure, OSError) as error:
        return str(error)
    finally:
        await remove_group(cgroups, bundle.cgroup)
        shutil.rmtree(directory, ignore_errors=True)
    return ""


def plan_trial(bundle: Bundle) -> dict[str, Any]:
    """A container that asks a static program for its version, and ends whatever that says."""
    program = find_init_program()
    if program is None:
        raise RuntimeFailure("create", "no static init program to try with (apt-get install catatonit)")
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/program", "--version"], "env": ["PATH=/"], "cwd": "/"},
        "root": {"path": str(bundle.directory / "rootfs")},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            {"destination": "/program", "type": "bind", "source": str(program), "options": ["bind", "ro"]},
        ],
        "linux": {
            "cgroupsPath": bundle.cgroup,
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")],
            "resources": {"memory": {"limit": 64 << 20}, "pids": {"limit": 16}},
        },
    }


def _make_directories(directory: Path) -> None:
    (directory / "rootfs/proc").mkdir(parents=True)
