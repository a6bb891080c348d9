"""
The process namespace of a task whose containers share one (`pidMode` `task`): held by a container of its own.

It comes before the containers and goes after them. If it ends on its own, the kernel has killed all that was in it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import anyio

from tidegate.kernel import failpoint
from tidegate.model.spec import TaskSpec
from tidegate.node.agent.journal import Journal
from tidegate.node.agent.parts import Parts, PhaseTimer
from tidegate.node.runtime.runtime import Bundle, Container, RuntimeFailure

HOLDER = ".processes"
"""Among the names of containers, which have no dot."""
NOTICE_SECONDS = 1.0
"""So much later than its members' ends may its own be noticed."""


class SharedProcesses:
    """The holder of one task's process namespace; does nothing for a task that has none."""

    def __init__(self, task: TaskSpec, parts: Parts, journal: Journal) -> None:
        self._task, self._parts = task, parts
        self._bundle = Bundle(
            id=f"{task.id}-{HOLDER}",
            directory=journal.bundle(HOLDER),
            cgroup=parts.cgroups.container_path(task.id, HOLDER),
        )
        self._holder: Container | None = None
        self._ended = anyio.Event()

    @property
    def is_lost(self) -> bool:
        """It ended, and all that was in it."""
        return self._ended.is_set()

    async def ensure(self, network_namespace: Path, phase: PhaseTimer, *, has_run: bool, may_be_there: bool) -> None:
        """
        Find the holder, or make it, unless a container of the task has run already. Raises RuntimeFailure, OSError.

        may_be_there: the host was not restarted since.
        """
        if self._task.shares_process_namespace:
            async with phase("processes"):
                await self._ensure(network_namespace, has_run=has_run, may_be_there=may_be_there)

    async def _ensure(self, network_namespace: Path, *, has_run: bool, may_be_there: bool) -> None:
        found = await self._find() if may_be_there else None
        if found is not None:
            self._holder, how = found
            if how == "created":
                await self._holder.start()
        elif has_run:
            self._ended.set()
        else:
            await failpoint.reach("processes.hold", partial(RuntimeFailure, "create"))
            self._bundle.directory.mkdir(mode=0o700, exist_ok=True)
            self._holder = await self._parts.launcher.hold_processes(self._bundle, network_namespace)
            await self._holder.start()

    def namespace(self) -> Path | None:
        """For a container that is about to be made; None: one of its own. Raises RuntimeFailure if it is lost."""
        if not self._task.shares_process_namespace:
            return None
        if self._holder is None:
            raise RuntimeFailure("create", "cannot join the task's process namespace: it is lost")
        return self._holder.process_namespace()

    async def watch(self) -> None:
        """Return when it has ended, never if there is none."""
        if self._holder is None:
            await self._ended.wait() if self._task.shares_process_namespace else await anyio.sleep_forever()
            return
        await self._holder.wait()
        self._ended.set()

    async def settle(self) -> None:
        """A container was killed: see whether that was because of this."""
        if self._task.shares_process_namespace:
            with anyio.move_on_after(NOTICE_SECONDS):
                await self._ended.wait()

    async def remove(self) -> None:
        """After the last container. Idempotent."""
        if self._holder is None:
            found = await self._find()
            self._holder = None if found is None else found[0]
        if self._holder is not None:
            await self._holder.remove()
        if self._task.shares_process_namespace:
            self._parts.runtime.forget(self._bundle)

    async def _find(self) -> tuple[Container, Literal["created", "started"]] | None:
        return await self._parts.runtime.recover(self._bundle) if self._bundle.directory.exists() else None
