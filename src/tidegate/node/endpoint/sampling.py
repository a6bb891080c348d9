"""
Two readings of each container, a second apart: what rates are made from.

Only tasks that somebody asks about are read, once a second from the first question until nobody has asked for a
minute; a node with a thousand tasks that nobody asks about reads nothing. The first to ask waits for the second
reading, as Docker's clients do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from tidegate.model.counters import ContainerCounters
from tidegate.node.endpoint.facts import Counters

INTERVAL_SECONDS = 1.0
IDLE_SECONDS = 60.0

Pair = tuple[ContainerCounters, ContainerCounters]


@dataclass(slots=True)
class _Watch:
    """One task that is asked about. asked_at: on the event loop's clock."""

    containers: tuple[str, ...]
    asked_at: float
    before: dict[str, ContainerCounters] = field(default_factory=dict)
    now: dict[str, ContainerCounters] = field(default_factory=dict)
    read_twice: anyio.Event = field(default_factory=anyio.Event)


class Sampler:
    """Use inside `open()`."""

    def __init__(self, counters: Counters, is_there: Callable[[str], bool]) -> None:
        """is_there: whether a task, by id, still runs."""
        self._counters = counters
        self._is_there = is_there
        self._watches: dict[str, _Watch] = {}
        self._group: TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Readings are taken inside."""
        async with anyio.create_task_group() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None
                group.cancel_scope.cancel()

    async def pairs(self, task: str, containers: tuple[str, ...]) -> Mapping[str, Pair | None]:
        """The last two readings of each container; None of those that were not there for both."""
        watch = self._watches.get(task)
        if watch is None:
            assert self._group is not None, "the sampler is open"
            watch = self._watches[task] = _Watch(containers, anyio.current_time())
            self._group.start_soon(self._sample, task, watch)
        watch.asked_at = anyio.current_time()
        await watch.read_twice.wait()
        return {
            name: (watch.before[name], watch.now[name]) if name in watch.before and name in watch.now else None
            for name in containers
        }

    def watched(self) -> int:
        """How many tasks are read."""
        return len(self._watches)

    async def _sample(self, task: str, watch: _Watch) -> None:
        try:
            await self._read(task, watch)
            while anyio.current_time() - watch.asked_at < IDLE_SECONDS and self._is_there(task):
                await anyio.sleep(INTERVAL_SECONDS)
                await self._read(task, watch)
                watch.read_twice.set()
        finally:
            watch.read_twice.set()
            del self._watches[task]

    async def _read(self, task: str, watch: _Watch) -> None:
        """One container at a time: the event loop has others to serve."""
        found = {}
        for name in watch.containers:
            found[name] = self._counters.read(task, name)
            await anyio.lowlevel.checkpoint()
        watch.before = watch.now
        watch.now = {name: counters for name, counters in found.items() if counters is not None}
