"""
The yardstick: conmon and the OCI runtime, driven by the least that works.

It starts the very bundle that the server made: the same configuration with its seccomp filter, mounts and limits, the
same mounted root file system, the same network namespace. Only the control group and the place of the files differ.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.kernel import pidfd
from tidegate.kernel.spawn import CLEAN_ENVIRONMENT, Spawner
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.cgroup.probe import read_mounts
from tidegate.node.runtime.probe import find_toolchain, plan_spawner
from tidegate.node.runtime.runtime import Bundle
from tidegate.node.runtime.supervise import plan_conmon
from tidegate.node.runtime.toolchain import Kind, Toolchain

CATCHING_SECONDS = 10
_CAUGHT = re.compile(r"SigCgt:\s*([0-9a-f]+)")


@dataclass(slots=True)
class ByHand:
    """One container under conmon. directory: for its files."""

    tools: Toolchain
    spawner: Spawner
    root: Path
    bundle: Bundle
    supervisor: int = -1
    container: int = -1

    @property
    def files(self) -> BundleFiles:
        """Where conmon writes."""
        return BundleFiles.of(self.bundle, self.root)

    def start(self, config: dict[str, Any]) -> float:
        """Seconds until its own program runs."""
        arguments = plan_conmon(self.tools, self.root, self.bundle)
        began = time.perf_counter()
        (self.bundle.directory / "config.json").write_text(json.dumps(config))
        self.files.ends.mkdir(parents=True, exist_ok=True)
        reading, writing = os.pipe()
        environment = {**CLEAN_ENVIRONMENT, "_OCI_SYNCPIPE": str(writing)}
        child = self.spawner.spawn(arguments, environment=environment, keep=[writing])
        os.close(writing)
        with os.fdopen(reading, "rb") as report:
            pid = json.loads(report.readline())["data"]
        child.reap()
        assert pid > 0, "the container was created"
        self._run_runtime("start")
        took = time.perf_counter() - began
        self.container = _held(pid)
        self.supervisor = _held(int((self.bundle.directory / "conmon.pid").read_text()))
        return took

    def stop(self) -> tuple[float, float]:
        """Seconds from SIGTERM until its exit code is on disk, and until the runtime has forgotten it."""
        await_catching(self.bundle.directory)
        began = time.perf_counter()
        pidfd.send_signal(self.container, signal.SIGTERM)
        select.select([self.supervisor], [], [])
        assert self.files.read_exit() is not None
        ended = time.perf_counter()
        self._run_runtime("delete", "--force")
        removed = time.perf_counter()
        os.close(self.container)
        os.close(self.supervisor)
        self.supervisor = -1
        return ended - began, removed - began

    def remove(self) -> None:
        """End it, if it has not been stopped."""
        if self.supervisor >= 0:
            pidfd.send_signal(self.container, signal.SIGKILL)
            select.select([self.supervisor], [], [])
            self._run_runtime("delete", "--force")

    def _run_runtime(self, *words: str) -> None:
        line = [str(self.tools.runtime), f"--root={self.root}", *words, self.bundle.id]
        assert self.spawner.spawn(line).reap() == 0, line


class Hands:
    """Starts copies of a bundle, one after the other."""

    def __init__(self, kind: Kind, origin: Path, directory: Path) -> None:
        """origin: the bundle of a container that runs."""
        self._config = json.loads((origin / "config.json").read_text())
        self._directory = directory
        self._tools = find_toolchain(kind)
        self._spawner = plan_spawner(kind, read_mounts())
        self._number = 0
        self._made: ByHand | None = None

    def start(self) -> tuple[ByHand, float]:
        """Another one, and the seconds that it took."""
        self._number += 1
        name = f"hand-{self._number}"
        bundle = Bundle(name, self._directory / name, f"{self._parent()}/{name}")
        bundle.directory.mkdir()
        config = self._config | {"linux": self._config["linux"] | {"cgroupsPath": bundle.cgroup}}
        made = self._made = ByHand(self._tools, self._spawner, self._directory / "oci", bundle)
        return made, made.start(config)

    def close(self) -> None:
        """End the last one, if need be."""
        if self._made is not None:
            self._made.remove()
        self._spawner.close()

    def _parent(self) -> str:
        """The task's control group: both kinds of container live below the same limits."""
        parent: str = self._config["linux"]["cgroupsPath"].rpartition("/")[0]
        return parent


def await_catching(bundle: Path) -> None:
    """Return when the container's program has asked for SIGTERM: before that, the kernel drops it."""
    status = Path("/proc", (bundle / "pid").read_text(), "status")
    deadline = time.monotonic() + CATCHING_SECONDS
    while not int(_CAUGHT.findall(status.read_text())[0], 16) >> (signal.SIGTERM - 1) & 1:
        if time.monotonic() > deadline:
            raise RuntimeError("cannot measure: the program does not ask for SIGTERM")
        time.sleep(0.001)


def _held(pid: int) -> int:
    fd = pidfd.open_pidfd(pid)
    assert fd is not None, "it lives"
    return fd
