"""
The loop that brings tasks from what is to what should be.

    store's watch  -> dirty tasks -> rules -> launch rounds, engine calls
    engine's watch -> observations -> store, many in one commit

Nothing here scans: each task is looked at when it or its engine says that something changed, and all of them once
at the start. The loop may be killed at any point; the next one starts from the store and the engine's snapshot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import msgspec
import structlog

from tidegate.engine.engine import BadSpec, Busy, Engine, NoCapacity
from tidegate.model.account import SecurityGroup
from tidegate.model.task import ClientToken, Task, TaskDefinition
from tidegate.reconcile.addresses import Addresses
from tidegate.reconcile.launch import LaunchRound
from tidegate.reconcile.observations import ObservationWriter
from tidegate.reconcile.rules import (
    DEFAULT_RETENTION_SECONDS,
    End,
    Expire,
    Launch,
    StopOnEngine,
    Submit,
    ended,
    plan_task,
)
from tidegate.reconcile.task_spec import build_task_spec
from tidegate.store.store import Conflict, Delete, Put, Store, StoreUnavailable

log = structlog.get_logger()

RETRY_SECONDS = 1.0
"""How often waiting tasks are tried again when nothing has changed."""
SWEEP_SECONDS = 30.0
CLIENT_TOKEN_SECONDS = 24 * 3600.0


class TaskLoop:
    """Reconciles tasks with one engine. `now` gives seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        account: str,
        region: str,
        now: Callable[[], float],
        retention_seconds: float = DEFAULT_RETENTION_SECONDS,
    ) -> None:
        self._store = store
        self._engine = engine
        self._account, self._region = account, region
        self._now = now
        self._retention_seconds = retention_seconds
        self._addresses = Addresses()
        self._known: set[str] = set()
        self._dirty: dict[str, None] = {}
        self._later: set[str] = set()
        self._retry_at = 0.0
        self._are_groups_late = False
        self._wake = anyio.Event()
        self._observations = ObservationWriter(store, engine, self._known, self._look_at)

    async def run(self) -> None:
        """Until cancelled."""
        async with self._store.watch(Task, SecurityGroup) as changes:
            observed = self._engine.watch()
            self._recall()
            await self._apply_groups()
            await self._retain()
            async with anyio.create_task_group() as group:
                group.start_soon(self._observations.read, observed)
                group.start_soon(self._observations.write)
                group.start_soon(self._forever, self._work)
                group.start_soon(self._forever, self._sweep)
                async for batch in changes:
                    for change in batch:
                        if isinstance(change.record, Task):
                            self._notice(change.before, change.after)
                        elif isinstance(change.record, SecurityGroup):
                            await self._apply_groups()

    def _recall(self) -> None:
        """What the store and the engine know at the start."""
        for task in self._store.select(Task, "active", "yes"):
            if task.status.interface is not None:
                self._addresses.take(task.status.interface)
            self._look_at(task.id)
        for observation in self._engine.snapshot():
            self._known.add(observation.task)
            self._observations.add(observation)

    def _notice(self, before: object, after: object) -> None:
        if isinstance(after, Task):
            if after.status.stopped_at is not None and after.status.interface is not None:
                self._addresses.give_back(after.status.interface)
                self._retry_waiting()
            self._look_at(after.id)
        elif isinstance(before, Task):
            self._dirty.pop(before.id, None)

    def _look_at(self, task: str) -> None:
        self._dirty[task] = None
        self._wake.set()

    def _retry_waiting(self) -> None:
        for key in self._later:
            self._look_at(key)
        self._later.clear()
        for task in self._store.select(Task, "unplaced", "yes"):
            self._look_at(task.id)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        """The top of a loop: a mistake of ours is logged, and the loop goes on."""
        while True:
            try:
                await step()
            except StoreUnavailable as error:
                log.error("cannot write state; trying again", why=str(error))
                await anyio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("reconcile failed")
                await anyio.sleep(RETRY_SECONDS)

    async def _work(self) -> None:
        """Look at all that is dirty, once. After an error the rest is looked at again, what failed at the end."""
        with anyio.move_on_after(RETRY_SECONDS):
            await self._wake.wait()
        await self._retry()
        self._wake = anyio.Event()
        dirty, self._dirty = self._dirty, {}
        waiting: list[Task] = []
        for key in list(dirty):
            del dirty[key]
            try:
                waiting += await self._advance(key)
            except BaseException:
                self._dirty = {**dirty, **self._dirty}
                self._look_at(key)
                raise
        if waiting:
            await self._launch(waiting)

    async def _retry(self) -> None:
        """Once in a while, what could not be done before."""
        if anyio.current_time() < self._retry_at:
            return
        self._retry_at = anyio.current_time() + RETRY_SECONDS
        self._retry_waiting()
        if self._are_groups_late:
            await self._apply_groups()

    async def _advance(self, key: str) -> list[Task]:
        """The next step for one task; the task itself if it has to be placed."""
        task = self._store.get(Task, key)
        if task is None:
            return []
        is_known = key in self._known
        match plan_task(task, is_known=is_known, now=self._now(), retention_seconds=self._retention_seconds):
            case Launch():
                return [task]
            case Submit():
                await self._submit(task)
            case StopOnEngine(reason, code):
                await self._engine.stop(task.id, reason, code)
            case End(reason, code):
                status = ended(task.status, reason, code, self._now())
                await self._put(msgspec.structs.replace(task, status=status))
            case Expire() | None:
                pass
        return []

    async def _launch(self, tasks: list[Task]) -> None:
        launch = LaunchRound(self._store, self._addresses, await self._engine.nodes(), self._now())
        decided = [decision for task in tasks if (decision := launch.decide(task)) is not None]
        try:
            if decided:
                await self._store.commit(*map(Put, decided))
        except (Conflict, StoreUnavailable) as error:
            for task in decided:
                if task.status.interface is not None:
                    self._addresses.give_back(task.status.interface)
                self._look_at(task.id)
            if isinstance(error, StoreUnavailable):
                raise

    async def _submit(self, task: Task) -> None:
        definition = self._store.get(TaskDefinition, task.definition)
        assert definition is not None, "a placed task's definition is kept"
        assert task.status.interface is not None, "a placed task has an interface"
        spec = build_task_spec(task, definition, task.status.interface, self._account, self._region)
        try:
            await self._engine.submit(spec, task.status.node)
        except BadSpec as error:
            status = ended(task.status, f"ResourceInitializationError: {error}", "TaskFailedToStart", self._now())
            await self._put(msgspec.structs.replace(task, status=status))
        except (NoCapacity, Busy) as error:
            await self._wait_for_engine(task, str(error))
        else:
            self._known.add(task.id)

    async def _wait_for_engine(self, task: Task, reason: str) -> None:
        self._later.add(task.id)
        if task.status.waiting_reason != reason:
            await self._put(
                msgspec.structs.replace(task, status=msgspec.structs.replace(task.status, waiting_reason=reason))
            )

    async def _put(self, task: Task) -> None:
        try:
            await self._store.commit(Put(task))
        except Conflict:
            self._look_at(task.id)

    async def _apply_groups(self) -> None:
        """Tasks are not submitted before the engine has heard of the groups that they name, if it can hear at all."""
        groups = {group.id: group.rules for group in self._store.select(SecurityGroup)}
        try:
            await self._engine.apply_security_groups(groups)
            self._are_groups_late = False
        except Exception as error:  # of the engine, whichever it is: the loop goes on without it
            self._are_groups_late = True
            log.error("cannot apply security groups; trying again", why=str(error))

    async def _sweep(self) -> None:
        """Drop what has been kept for long enough."""
        await anyio.sleep(SWEEP_SECONDS)
        now = self._now()
        old: list[Delete] = [
            Delete(task)
            for task in self._store.select(Task, "stopped", "yes")
            if isinstance(plan_task(task, is_known=False, now=now, retention_seconds=self._retention_seconds), Expire)
        ]
        old += [
            Delete(token) for token in self._store.select(ClientToken) if now - token.created_at > CLIENT_TOKEN_SECONDS
        ]
        if old:
            await self._store.commit(*old)
            await self._retain()

    async def _retain(self) -> None:
        """The engine keeps what it knows of a task for as long as its record is there."""
        await self._engine.retain({task.id for task in self._store.select(Task)})
