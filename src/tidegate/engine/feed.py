"""The latest observation of each task, for readers that each go at their own pace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from weakref import WeakSet

import anyio

from tidegate.model.status import Observation


class Feed:
    """
    Hands observations on. A reader that is slow sees fewer of them, never an older one after a newer one of the
    same task, and always the last; so the memory it needs is bounded by the number of tasks.
    """

    def __init__(self) -> None:
        self._latest: dict[str, Observation] = {}
        self._readers: WeakSet[_Reader] = WeakSet()

    def publish(self, observation: Observation) -> None:
        """Hand on an observation; one that is not newer than the last is dropped."""
        last = self._latest.get(observation.task)
        if last is not None and last.revision >= observation.revision:
            return
        self._latest[observation.task] = observation
        for reader in self._readers:
            reader.pending[observation.task] = observation
            reader.ready.set()

    def forget(self, task: str) -> None:
        """Drop what is known of a task."""
        self._latest.pop(task, None)

    def snapshot(self) -> Sequence[Observation]:
        """The latest of every task."""
        return list(self._latest.values())

    def watch(self) -> AsyncIterator[Observation]:
        """What comes from this call on. The reader is dropped when nobody holds the iterator any more."""
        reader = _Reader()
        self._readers.add(reader)
        return reader


class _Reader(AsyncIterator[Observation]):
    def __init__(self) -> None:
        self.pending: dict[str, Observation] = {}
        self.ready = anyio.Event()

    async def __anext__(self) -> Observation:
        while not self.pending:
            await self.ready.wait()
        task = next(iter(self.pending))
        observation = self.pending.pop(task)
        if not self.pending:
            self.ready = anyio.Event()
        return observation
