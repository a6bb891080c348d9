"""
The contract of scratch space: for each task a directory of its own, of the size that its ephemeral storage has.

    ensure -> space, hold_back, trim -> remove
    keep_only, after a crash or a restart, gives back what no task needs any more

All that a task's containers write lies in there: what they change in their root file systems, and the task's volumes.
A task that has filled it gets ENOSPC; nobody else does. Three implementations pass one suite: `loop` (a file system in
a sparse file), `quota` (a directory with a project quota) and `unlimited` (a directory; for hosts that can do neither).
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

ScratchKind = Literal["loop", "quota", "unlimited"]
GIB = 1 << 30
MIB = 1 << 20
BYTES_A_FILE = 16 << 10
"""A disk may hold one file, however small, for so much of its size."""


@dataclass(frozen=True, slots=True)
class Space:
    """Of one task's scratch, in bytes."""

    size_bytes: int
    """All that can be written."""
    used_bytes: int
    """What has been written, as the task's own file system counts it; also what is not on the disk yet."""
    backed_bytes: int
    """What the host has already given for it."""
    dirty_bytes: int = 0
    """What has been written, and is in memory only."""

    @property
    def pending_bytes(self) -> int:
        """What the host is still to give; it may hold what was deleted meanwhile, so this is no mere difference."""
        return max(self.used_bytes - self.backed_bytes, self.dirty_bytes)


class Scratch(Protocol):
    """See above. `task` is a task's id, or any other name of a file."""

    kind: ScratchKind

    def open(self) -> AbstractAsyncContextManager[None]:
        """Inside, it can be used; what tasks have outlives it. Raises OSError."""

    async def ensure(self, task: str, size_bytes: int) -> Path:
        """The task's directory, empty at first; one that is there keeps its contents and its size. Raises OSError."""

    def path(self, task: str) -> Path:
        """Where `ensure` makes it."""

    def tasks(self) -> list[str]:
        """Those that have a directory."""

    def space(self, task: str) -> Space | None:
        """How much is used; None where that is not known, or if there is none. A few microseconds. Raises OSError."""

    def hold_back(self, task: str, size_bytes: int) -> None:
        """
        Let so much of its size stay free from now on: less can be written. 0: all may be. Raises OSError.

        What has been written stays, even if it is more than is left to the task then.
        """

    def trim(self, task: str) -> None:
        """Give the host back what the task has deleted. May take seconds: in a thread. Raises OSError."""

    async def remove(self, task: str) -> None:
        """Take it away. What takes long goes on afterwards, while `open` lasts. Succeeds if there is none."""

    async def keep_only(self, tasks: set[str]) -> None:
        """Take away all others."""
