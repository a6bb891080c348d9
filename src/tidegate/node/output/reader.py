"""
Carries what containers write from their log files to the sink: each line exactly once, in order.

The sink remembers how far it got with the lines that it stored, so there is nothing to remember here. What the sink
has is freed on the disk. How much may wait there, and what happens when it is too much, is `backlog`'s.

Files are read, and lines taken apart, in threads: a container that writes as fast as it can holds nobody else up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio

from tidegate.kernel.background import running
from tidegate.kernel.inotify import FileWatcher
from tidegate.model.spec import LogTarget
from tidegate.node.output.discard import Discard
from tidegate.node.output.flow import Flow
from tidegate.node.output.pace import Pace, Tally
from tidegate.node.output.sink import LogSink, Outlet

__all__ = ["OutputReader", "Pace", "Tally"]

THREADS: Final = 4
"""Containers whose output is taken apart at the same time; more would only wait for the interpreter."""


class OutputReader:
    """Follows any number of files; use within `open`."""

    def __init__(self, sink: LogSink, pace: Pace | None = None) -> None:
        self._sink = sink
        self._pace = pace or Pace()
        self._watcher = FileWatcher()
        self._threads: anyio.CapacityLimiter | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Files can be followed inside. Raises OSError."""
        self._threads = anyio.CapacityLimiter(THREADS)
        async with self._watcher.open():
            yield

    @asynccontextmanager
    async def follow(
        self, path: Path, source: str, target: LogTarget | None, outlet: Outlet | None = None
    ) -> AsyncIterator[Tally]:
        """
        Entered: lines flow. Left: all that was written before has reached the sink, an unended last line too.

        Left by an exception (our own end is one), it just stops: the next `follow` goes on from there. Without a target
        the output is dropped and its disk space freed. Without an outlet nothing limits it. Raises LogTargetMissing.
        """
        assert self._threads is not None, "used within open"
        flow = (
            Discard(path, self._watcher, self._pace, outlet)
            if target is None
            else Flow(path, source, target, self._sink, self._watcher, self._pace, outlet, self._threads)
        )
        try:
            await flow.restart()
            async with running(flow.run):
                yield flow.tally
            await flow.drain()
        finally:
            flow.close()
