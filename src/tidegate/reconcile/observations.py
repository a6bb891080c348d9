"""From the engine's observations to the store: whatever came while a commit was under way goes into the next one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import msgspec
import structlog

from tidegate.engine.engine import Engine, Gap
from tidegate.model.status import LastStatus, Observation
from tidegate.model.task import Task
from tidegate.reconcile.observe import apply_observation
from tidegate.store.store import Conflict, Put, Store, StoreUnavailable

log = structlog.get_logger()

RETRY_SECONDS = 1.0
UNKNOWN = "The control plane does not know this task"


class ObservationWriter:
    """
    Writes observations into task records, and lets the engine forget the tasks whose end is durable.

    known: the tasks that the engine has, shared with the loop. look_at: asks the loop to look at a task.
    """

    def __init__(self, store: Store, engine: Engine, known: set[str], look_at: Callable[[str], None]) -> None:
        self._store = store
        self._engine = engine
        self._known = known
        self._look_at = look_at
        self._pending: dict[str, Observation] = {}
        self._wake = anyio.Event()

    def add(self, observation: Observation) -> None:
        """Take an observation in; only the newest of a task is kept."""
        last = self._pending.get(observation.task)
        if last is None or last.revision < observation.revision:
            self._pending[observation.task] = observation
            self._wake.set()

    async def read(self, observed: AsyncIterator[Observation | Gap]) -> None:
        """Take in what the engine says."""
        async for item in observed:
            if isinstance(item, Gap):
                for observation in self._engine.snapshot():
                    self.add(observation)
            else:
                self.add(item)

    async def write(self) -> None:
        """Write what there is, for ever."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            batch, self._pending = self._pending, {}
            try:
                await self._write(list(batch.values()))
            except (Conflict, StoreUnavailable) as error:
                for observation in batch.values():
                    self.add(observation)
                if isinstance(error, StoreUnavailable):
                    log.error("cannot write observations; trying again", why=str(error))
                    await anyio.sleep(RETRY_SECONDS)

    async def _write(self, batch: list[Observation]) -> None:
        puts: list[Put] = []
        for observation in batch:
            task = self._store.get(Task, observation.task)
            if task is None:
                await self._disown(observation)
                continue
            status = apply_observation(task.status, observation)
            if status is not task.status:
                puts.append(Put(msgspec.structs.replace(task, status=status)))
        if puts:
            await self._store.commit(*puts)
        for observation in batch:
            if observation.last_status is LastStatus.STOPPED:
                self._known.discard(observation.task)
                await self._engine.forget(observation.task)

    async def _disown(self, observation: Observation) -> None:
        """A task that the store does not have must not run."""
        if observation.last_status is not LastStatus.STOPPED:
            await self._engine.stop(observation.task, UNKNOWN, "InfrastructureHealth")
