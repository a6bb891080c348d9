"""
Two readings of each container, at least a second apart: what rates are made from.

Nothing is read that nobody asks about. Whoever asks regularly, as monitoring agents do, is told of the time since the
question before; the first to ask, and the first after a while, waits a second for the second reading, as Docker's
clients do. However many ask, a task is read once a second, and few tasks at a time: reading takes the server's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from tidegate.model.counters import ContainerCounters
from tidegate.node.endpoint.facts import Counters

INTERVAL_SECONDS = 1.0
"""Readings are no nearer to each other."""
STALE_SECONDS = 60.0
"""A reading that is older says little of now."""
READERS = 2

Pair = tuple[ContainerCounters, ContainerCounters]


@dataclass(slots=True)
class _Watch:
    """The last two readings of one task's containers. read_at: of the last, on the event loop's clock."""

    turn: anyio.Lock
    read_at: float
    before: dict[str, ContainerCounters] = field(default_factory=dict)
    now: dict[str, ContainerCounters] = field(default_factory=dict)

    def pair(self, container: str) -> Pair | None:
        """None of a container that was not there for both, or was started again in between."""
        before, now = self.before.get(container), self.now.get(container)
        if before is None or now is None or now.group.cpu_nanoseconds < before.group.cpu_nanoseconds:
            return None
        return before, now

    def is_whole(self) -> bool:
        """There is a pair of each container that runs."""
        return all(self.pair(container) is not None for container in self.now)


class Sampler:
    """is_there: whether a task, by id, still runs."""

    def __init__(self, counters: Counters, is_there: Callable[[str], bool]) -> None:
        self._counters = counters
        self._is_there = is_there
        self._watches: dict[str, _Watch] = {}
        self._reading: anyio.CapacityLimiter | None = None

    async def pairs(self, task: str, containers: tuple[str, ...]) -> Mapping[str, Pair | None]:
        """Two readings of each container; None of one that does not run, or has not for long enough."""
        watch = self._watch(task)
        async with watch.turn:
            if anyio.current_time() - watch.read_at > STALE_SECONDS:
                watch.now = {}
            if anyio.current_time() - watch.read_at >= INTERVAL_SECONDS:
                await self._read(task, watch, containers)
            if not watch.is_whole():
                await anyio.sleep(INTERVAL_SECONDS)
                await self._read(task, watch, containers)
            return {name: watch.pair(name) for name in containers}

    def watched(self) -> int:
        """Of how many tasks readings are kept."""
        return len(self._watches)

    def _watch(self, task: str) -> _Watch:
        watch = self._watches.get(task)
        if watch is None:
            self._watches = {each: kept for each, kept in self._watches.items() if self._is_there(each)}
            watch = self._watches[task] = _Watch(anyio.Lock(), float("-inf"))
        return watch

    async def _read(self, task: str, watch: _Watch, containers: tuple[str, ...]) -> None:
        """One container at a time: the event loop has others to serve."""
        if self._reading is None:
            self._reading = anyio.CapacityLimiter(READERS)
        found = {}
        async with self._reading:
            for name in containers:
                found[name] = self._counters.read(task, name)
                await anyio.lowlevel.checkpoint()
        watch.before, watch.read_at = watch.now, anyio.current_time()
        watch.now = {name: counters for name, counters in found.items() if counters is not None}
