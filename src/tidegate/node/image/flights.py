"""Work that several callers want at once is done once, and goes on for as long as one of them still waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from tidegate.node.image.images import ImageError, Progress

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.done = anyio.Event()
        self.scope = anyio.CancelScope()
        self.passengers = 0
        self.listeners: list[Progress] = []
        self.result: T | None = None
        self.error: Exception | None = None

    def tell(self, line: str) -> None:
        for listener in self.listeners:
            listener(line)


class Flights(Generic[T]):
    """The work runs in `group`, not in its callers, so that none of them takes it down with it."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def join(self, key: Hashable, work: Callable[[Progress], Awaitable[T]], progress: Progress | None) -> T:
        """The result of `work`, begun now or by somebody else. Raises what it raises: ImageError, OSError."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight[T]()
            self._group.start_soon(self._fly, key, flight, work)
        if progress is not None:
            flight.listeners.append(progress)
        flight.passengers += 1
        try:
            await flight.done.wait()
        finally:
            flight.passengers -= 1
            if progress is not None:
                flight.listeners.remove(progress)
            if not flight.passengers and not flight.done.is_set():
                flight.scope.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]
        if flight.error is not None:
            # A copy for each: an exception that several tasks raise collects the traces of all of them.
            raise type(flight.error)(*flight.error.args) from flight.error
        if flight.result is None:
            raise ImageError("context canceled")
        return flight.result

    async def _fly(self, key: Hashable, flight: _Flight[T], work: Callable[[Progress], Awaitable[T]]) -> None:
        try:
            with flight.scope:
                flight.result = await work(flight.tell)
        except (ImageError, OSError) as error:
            flight.error = error
        finally:
            flight.done.set()
            if self._flights.get(key) is flight:
                del self._flights[key]
