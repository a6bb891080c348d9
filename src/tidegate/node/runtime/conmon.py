"""
The runtime of this host: conmon(8) supervises, crun or runc makes the containers.

What can be found after a crash lies in each bundle's directory (see `bundle`) and in `root`, the OCI runtime's own
state. Nothing here needs to be remembered by the process that uses it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec

from tidegate.kernel import failpoint
from tidegate.kernel.spawn import Spawner
from tidegate.node.runtime import gate
from tidegate.node.runtime.bundle import BundleFiles, Created, identify
from tidegate.node.runtime.cgroup.cgroups import Cgroups
from tidegate.node.runtime.container import ConmonContainer, remove_state
from tidegate.node.runtime.execfiles import end_left_commands
from tidegate.node.runtime.means import Means
from tidegate.node.runtime.runtime import Bundle, RuntimeFailure
from tidegate.node.runtime.supervise import Streams, end_supervisors, is_being_started, start_supervisor
from tidegate.node.runtime.toolchain import Toolchain

_CREATES_PER_CPU = 4
_POLL_SECONDS = 0.01


class ConmonRuntime:
    """
    See the contract.

    root: directory for the OCI runtime's state; made if missing. create_timeout_seconds: for a whole `create`, with
    what it waits for others. At most four creations per CPU run at once: more only delay each other.
    """

    def __init__(
        self,
        tools: Toolchain,
        root: Path,
        cgroups: Cgroups,
        spawner: Spawner,
        *,
        create_timeout_seconds: float = 120,
        call_timeout_seconds: float = 60,
    ) -> None:
        self.name = f"conmon+{tools.kind}"
        self._means = Means(tools, spawner, cgroups, root, call_timeout_seconds)
        self._create_timeout_seconds = create_timeout_seconds
        self._limit: anyio.CapacityLimiter | None = None
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def create(self, bundle: Bundle, config: Mapping[str, Any]) -> ConmonContainer:
        if self._limit is None:
            self._limit = anyio.CapacityLimiter(_CREATES_PER_CPU * (os.cpu_count() or 1))
        try:
            async with self._limit:
                return await self._create(bundle, config)
        except BaseException:
            # What is in the way of cleaning up is told by `remove`; why it was not created is told here.
            with anyio.CancelScope(shield=True), suppress(RuntimeFailure):
                await self._discard(bundle)
            raise

    async def recover(self, bundle: Bundle) -> tuple[ConmonContainer, Literal["created", "started"]] | None:
        await failpoint.reach("runtime.recover", partial(RuntimeFailure, "create"))
        files = BundleFiles.of(bundle, self._means.root)
        created = files.read_created()
        if created is None:
            await self._discard(bundle)
            return None
        await self._wait_for_start(bundle)
        await end_left_commands(self._means.cgroups, bundle)
        container = ConmonContainer(bundle, created, self._means, is_recovered=True)
        if not gate.gate_path(self._means.root, bundle.id).exists() or files.read_exit() is not None:
            return container, "started"
        if container.is_supervised:
            return container, "created"
        await self._discard(bundle)
        return None

    def forget(self, bundle: Bundle) -> None:
        BundleFiles.of(bundle, self._means.root).forget_config()

    async def _wait_for_start(self, bundle: Bundle) -> None:
        """
        Let a `start` that outlived its caller come to its end: two at once disturb each other.

        Killing it is no way out: the container would die of a broken pipe (see `gate`).
        """
        with anyio.move_on_after(self._means.timeout_seconds):
            while is_being_started(bundle.id):  # noqa: ASYNC110 - another process is awaited
                await anyio.sleep(_POLL_SECONDS)

    async def _create(self, bundle: Bundle, config: Mapping[str, Any]) -> ConmonContainer:
        means, files = self._means, BundleFiles.of(bundle, self._means.root)
        files.clear()
        files.end_log()
        files.ends.mkdir(mode=0o700, exist_ok=True)
        files.write_config(msgspec.json.encode(config))
        await failpoint.reach("runtime.create", partial(RuntimeFailure, "create"))
        pid = await start_supervisor(
            means.tools, means.spawner, means.root, bundle, Streams.of(config), self._create_timeout_seconds
        )
        supervisor, container = identify(_read_pid(bundle.directory / "conmon.pid")), identify(pid)
        if supervisor is None or container is None:
            raise RuntimeFailure("create", f"container {bundle.id} was killed before it could start")
        await failpoint.reach("runtime.created", partial(RuntimeFailure, "create"))
        created = Created(container=container, supervisor=supervisor, shares_processes=_shares_processes(config))
        files.write_created(created)
        return ConmonContainer(bundle, created, means)

    async def _discard(self, bundle: Bundle) -> None:
        """Remove what is half made: first who works on it, then what it left."""
        await end_supervisors(bundle.directory)
        self._means.cgroups.kill(bundle.cgroup)
        await remove_state(self._means, bundle)
        BundleFiles.of(bundle, self._means.root).clear()


def _shares_processes(config: Mapping[str, Any]) -> bool:
    return any(space["type"] == "pid" and "path" in space for space in config["linux"]["namespaces"])


def _read_pid(file: Path) -> int:
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise RuntimeFailure("create", f"conmon left no pid in {file.name}") from error
