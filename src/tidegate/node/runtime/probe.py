"""
What can run containers on this host: found out by running one, not by looking at versions.

crun refuses hybrid control groups: it is started where the version 2 mount is hidden (see `kernel.spawn`).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tidegate.kernel.spawn import CLEAN_ENVIRONMENT, Spawner
from tidegate.node.runtime.cgroup.probe import CgroupMounts
from tidegate.node.runtime.toolchain import Kind, Toolchain, find_program

_VERSION_SECONDS = 10
_VERSION = re.compile(r"version (\d+(?:\.\d+)*)")
_OPTION = re.compile(r"--([a-z][a-z-]+)")


class NoRuntime(Exception):
    """Containers can't run here; the message says what is missing and what to do."""


def find_toolchain(kind: Kind) -> Toolchain:
    """The installed programs, as they describe themselves. Raises NoRuntime."""
    conmon, runtime = find_program("conmon"), find_program(kind)
    for name, found in (("conmon", conmon), (kind, runtime)):
        if found is None:
            raise NoRuntime(f"cannot run containers: {name} is not installed (apt-get install {name})")
    assert conmon is not None
    assert runtime is not None
    version = _VERSION.search(_ask(runtime, "--version"))
    return Toolchain(
        conmon=conmon,
        runtime=runtime,
        kind=kind,
        conmon_options=frozenset(_OPTION.findall(_ask(conmon, "--help"))),
        version=tuple(int(part) for part in version.group(1).split(".")) if version else (),
    )


def plan_spawner(kind: Kind, mounts: CgroupMounts) -> Spawner:
    """Where the runtime's processes start: hidden from the version 2 mount where it would refuse."""
    hidden = [mounts.v2] if kind == "crun" and mounts.is_hybrid and mounts.v2 else []
    return Spawner(hidden)


def _ask(program: Path, option: str) -> str:
    try:
        done = subprocess.run(
            [str(program), option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_SECONDS,
            env=CLEAN_ENVIRONMENT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoRuntime(f"cannot run containers: {program} {option}: {error}") from error
    return (done.stdout + done.stderr).decode(errors="replace")
