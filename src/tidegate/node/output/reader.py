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
from tidegate.model.spec import ForwardTarget, LogTarget
from tidegate.node.output.backlog import Backlog
from tidegate.node.output.channel import Channel, SentOffset, StoreChannel
from tidegate.node.output.discard import Discard
from tidegate.node.output.flow import Flow, Rules
from tidegate.node.output.forward import Origin
from tidegate.node.output.forwarding import ForwardChannel
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
        self,
        path: Path,
        source: str,
        target: LogTarget | ForwardTarget | None,
        outlet: Outlet | None = None,
        origin: Origin | None = None,
    ) -> AsyncIterator[Tally]:
        """
        Entered: lines flow. Left: all that was written before has been taken, an unended last line too.

        Left by an exception (our own end is one), it just stops: the next `follow` goes on from there. Without a target
        the output is dropped and its disk space freed. Without an outlet nothing limits it. origin: what is told of the
        container to a receiver that is not the log store. Raises LogTargetMissing.
        """
        assert self._threads is not None, "used within open"
        if target is None:
            flow: Flow | Discard = Discard(path, self._watcher, self._pace, outlet)
            channel = None
        else:
            channel = self._channel(path, source, target, origin or Origin(source, source))
            rules = _rules(target, self._pace)
            flow = Flow(path, source, channel, rules, self._watcher, self._pace, outlet, self._threads)
        try:
            await flow.begin()
            async with running(flow.run):
                yield flow.tally
                await flow.settle()
            await flow.drain()
        finally:
            flow.close()
            if channel is not None:
                await channel.close()

    def _channel(self, path: Path, source: str, target: LogTarget | ForwardTarget, origin: Origin) -> Channel:
        if isinstance(target, LogTarget):
            return StoreChannel(self._sink, target, source)
        return ForwardChannel(target, source, origin, SentOffset(path.with_name(f"{path.name}.sent")))


def _rules(target: LogTarget | ForwardTarget, pace: Pace) -> Rules:
    """A log store that is broken is mended one day; a log router that is gone does not come back."""
    backlog = Backlog(target.is_blocking, target.max_buffer_bytes)
    if isinstance(target, LogTarget):
        return Rules(backlog, target.begins_event, None if target.is_blocking else pace.drain)
    return Rules(backlog, drain_seconds=pace.part)
