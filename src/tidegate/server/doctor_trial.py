"""What `tidegate doctor` finds out by trying: a container from start to end, as the server does before it serves."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import anyio

from tidegate.kernel.shared_mount import make_shared, unmake_shared
from tidegate.node.runtime.cgroup.cgroups import CgroupFailure, remove_group
from tidegate.node.runtime.cgroup.probe import find_cgroups, read_mounts
from tidegate.node.runtime.probe import NoRuntime
from tidegate.node.runtime.trial import find_runtime


def try_a_container() -> tuple[str, tuple[str, ...]]:
    """
    The runtime that works, and why others do not; with an empty name, none does. Leaves nothing behind.

    Needs root.
    """
    directory = Path(tempfile.mkdtemp(prefix="tidegate-doctor-"))
    try:
        make_shared(directory)
        return anyio.run(_try, directory)
    except (NoRuntime, CgroupFailure, OSError) as error:
        return "", (str(error),)
    finally:
        unmake_shared(directory)
        shutil.rmtree(directory, ignore_errors=True)


async def _try(directory: Path) -> tuple[str, tuple[str, ...]]:
    mounts = read_mounts()
    groups = find_cgroups(mounts)
    parent = f"/tidegate-doctor-{os.getpid()}"
    try:
        found = await find_runtime(directory, parent, groups, mounts)
        found.spawner.close()
    finally:
        await remove_group(groups, parent)
    return found.tools.kind, found.refused
