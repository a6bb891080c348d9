"""
The contract of a log sink: where a container's lines go, exactly once.

The reader of a container's output remembers nothing. The sink stores, with each batch of lines, how far into the
source they reach; after a crash of either side `open` says where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.model.log import LogEvent, LogTargetMissing
from tidegate.model.spec import LogTarget

__all__ = ["LogEvent", "LogSink", "LogTargetMissing"]


class LogSink(Protocol):
    """Implementations: the log store; a list in tests."""

    async def open(self, target: LogTarget, source: str) -> int:
        """
        Make the stream (and the group, where the target says so) if needed; returns the offset to go on from.

        source: identifies one container's output file for ever. Raises LogTargetMissing, OSError.
        """

    async def append(self, target: LogTarget, source: str, events: Sequence[LogEvent], offset: int) -> None:
        """Store the events and, with them, that `source` was read up to `offset`. Events are in order of time."""
