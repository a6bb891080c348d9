"""
The contract of a log sink: where a container's lines go, exactly once.

The reader of a container's output remembers nothing. The sink stores, with each batch of lines, how far into the
source they reach; after a crash of either side `open` says where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.model.log import Burst, LogTargetMissing
from tidegate.model.spec import LogTarget

__all__ = ["Burst", "LogSink", "LogTargetMissing", "Outlet"]


class LogSink(Protocol):
    """Implementations: the log store; a list in tests."""

    async def open(self, target: LogTarget, source: str) -> int:
        """
        Make the stream (and the group, where the target says so) if needed; returns the offset to go on from.

        source: identifies one container's output file for ever. Raises LogTargetMissing, OSError.
        """

    async def append(self, target: LogTarget, source: str, bursts: Sequence[Burst], offset: int) -> None:
        """
        Store the lines and, with them, that `source` was read up to `offset`. Lines are in the order of their writing.

        Raises LogTargetMissing, or whatever is in the way: then nothing of it is stored, or all of it.
        """


class Outlet(Protocol):
    """Who writes a container's output file: its supervisor, as the runtime knows it."""

    def hold_output(self) -> None:
        """Take no more from the container, which waits when it writes. Without effect once it has ended. Idempotent."""

    def resume_output(self) -> None:
        """Go on. Idempotent."""

    def limit_output(self, size: int) -> None:
        """Let the file grow to `size` and no further: what is written beyond is lost. Without effect where it can't."""

    def output_limit(self) -> int | None:
        """The limit that is set; None: there is none, or nobody to limit."""
