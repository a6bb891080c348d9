"""Scratch space without a limit: plain directories, for hosts that have neither loop devices nor project quotas."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio.to_thread

from tidegate.node.volume.removal import Removals, clean, find_tasks
from tidegate.node.volume.scratch import ScratchKind, Space


class UnlimitedScratch:
    """See the contract; sizes are not kept, and what is used is not known."""

    kind: ScratchKind = "unlimited"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._removals = Removals(directory)

    def open(self) -> AbstractAsyncContextManager[None]:
        """See the contract."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(clean, self._directory)
        async with self._removals.open():
            yield

    async def ensure(self, task: str, size_bytes: int) -> Path:
        """See the contract."""
        await self._removals.wait(task)
        place = self.path(task)
        place.mkdir(mode=0o755, exist_ok=True)
        return place

    def path(self, task: str) -> Path:
        """See the contract."""
        return self._directory / task

    def tasks(self) -> list[str]:
        """See the contract."""
        return [name for name in os.listdir(self._directory) if not name.startswith(".")]

    def space(self, task: str) -> Space | None:
        """See the contract: not known."""
        return None

    def hold_back(self, task: str, size_bytes: int) -> None:
        """See the contract: it can't be."""

    def trim(self, task: str) -> None:
        """See the contract: what is deleted is the host's again at once."""

    async def remove(self, task: str) -> None:
        """See the contract."""
        self._removals.begin(task)

    async def keep_only(self, tasks: set[str]) -> None:
        """See the contract."""
        for task in sorted(find_tasks(self._directory) - tasks):
            await self.remove(task)
