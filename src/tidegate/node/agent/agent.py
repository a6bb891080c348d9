"""
The node's agent: all tasks of this machine, found again after a crash.

    async with agent.open():      recovers what earlier processes of ours left, then runs
        agent.submit(spec)
        agent.stop(task, request)
        agent.forget(task)

What the agent knows of its tasks is in its directory, one folder a task; nothing else is needed to go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskGroup

from tidegate.model.blackbox import BlackBox
from tidegate.model.session import SessionFailure
from tidegate.model.spec import TaskSpec
from tidegate.model.status import LastStatus, Observation
from tidegate.node.agent.journal import Journal, StopRequest
from tidegate.node.agent.orphans import remove_orphans
from tidegate.node.agent.parts import Parts
from tidegate.node.agent.pins import ImagePins
from tidegate.node.agent.reasons import NODE_FAILED
from tidegate.node.agent.record import TaskRecord
from tidegate.node.agent.run import TaskRun
from tidegate.node.endpoint.facts import TaskFacts

log = structlog.get_logger()

LAUNCHES_AT_ONCE = 4
"""Containers that are being created at the same time: more make each slower and none earlier."""

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0


class Agent:
    """
    Runs tasks. `publish` is called with each observation, from the event loop; it must not block.

    directory: <state>/node; holds tasks/<task id>/.
    """

    def __init__(
        self,
        directory: Path,
        parts: Parts,
        publish: Callable[[Observation], None],
        launches_at_once: int = LAUNCHES_AT_ONCE,
    ) -> None:
        self._tasks_directory = directory / "tasks"
        self._parts = parts
        self._publish = publish
        self._launching = anyio.CapacityLimiter(launches_at_once)
        self._runs: dict[str, TaskRun] = {}
        self._pins = ImagePins()
        self._addresses: dict[str, str] = {}
        """Of the tasks, by address: the last to have it counts."""
        self._group: TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Recover and run; leaving abandons the runs, not the containers."""
        self._tasks_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with anyio.create_task_group() as group:
            self._group = group
            await self._recover()
            await self._parts.volumes.keep_only({task.id for task in self.tasks()})
            try:
                yield
            finally:
                self._group = None
                group.cancel_scope.cancel()

    def observations(self) -> Sequence[Observation]:
        """The latest of each task."""
        return [run.record.observation for run in self._runs.values()]

    def tasks(self) -> Sequence[TaskSpec]:
        """What is not STOPPED yet."""
        return [run.spec for run in self._runs.values() if not _is_stopped(run)]

    def facts_at(self, address: str) -> TaskFacts | None:
        """The task that has the address and has not stopped."""
        run = self._runs.get(self._addresses.get(address, ""))
        return None if run is None or _is_stopped(run) else run.facts()

    def is_running(self, task: str) -> bool:
        """Whether it is known and has not stopped."""
        run = self._runs.get(task)
        return run is not None and not _is_stopped(run)

    def starting(self) -> int:
        """How many have not come to run yet."""
        return sum(run.record.observation.last_status.rank < LastStatus.RUNNING.rank for run in self._runs.values())

    def submit(self, spec: TaskSpec) -> None:
        """Begin a task; one that is known is left alone. Raises OSError when its journal can't be written."""
        if spec.id in self._runs:
            return
        journal = Journal(self._tasks_directory / spec.id)
        journal.create(spec)
        self._begin(spec, journal)

    def stop(self, task: str, request: StopRequest) -> None:
        """Stop a task; one that is not known needs nothing."""
        run = self._runs.get(task)
        if run is not None:
            run.request_stop(request)

    def forget(self, task: str) -> None:
        """Drop a task that is STOPPED."""
        run = self._runs.get(task)
        if run is not None and _is_stopped(run):
            del self._runs[task]
            self._pins.forget(run.spec)
            if self._addresses.get(run.spec.network.address) == task:
                del self._addresses[run.spec.network.address]
            is_retired = _retire(run.record.journal)
            if self._group is not None:
                self._group.start_soon(_remove, run.record.journal, is_retired)

    async def black_box(self, task: str) -> BlackBox | None:
        """What is kept of a task that has ended, or could be kept of one that runs now; None if it is not known."""
        run = self._runs.get(task)
        if run is not None and not _is_stopped(run):
            return await run.black_box()
        return await self._parts.recorder.read(task)

    async def retain(self, tasks: Collection[str]) -> None:
        """Drop what is kept of all tasks but these."""
        await self._parts.recorder.retain(tasks)

    def get_run(self, task: str) -> TaskRun:
        """A task that runs, to reach into it. Raises SessionFailure."""
        run = self._runs.get(task)
        if run is None:
            raise SessionFailure("the task does not run")
        return run

    async def _recover(self) -> None:
        orphans = []
        for directory in sorted(self._tasks_directory.iterdir()):
            journal = Journal(directory)
            spec = journal.read_spec()
            if spec is None:
                orphans.append(directory)
            else:
                self._begin(spec, journal)
        await remove_orphans(self._parts, orphans, self._runs)

    def _begin(self, spec: TaskSpec, journal: Journal) -> None:
        assert self._group is not None, "the agent is open"
        record = TaskRecord(spec, journal, self._publish, self._parts.now, self._parts.boot)
        self._pins.recall(spec, record.observation)
        run = TaskRun(spec, self._parts, record, self._pins, self._launching)
        self._runs[spec.id] = run
        self._addresses[spec.network.address] = spec.id
        self._group.start_soon(self._watch_over, run)

    async def _watch_over(self, run: TaskRun) -> None:
        """The top of a task's loop: a mistake of ours ends this task, with a reason, and no other."""
        if _is_stopped(run):
            return
        try:
            await run.run()
        except Exception as error:
            log.exception("task failed inside the node", task=run.spec.id)
            run.abort(f"{NODE_FAILED}: {_plain(error)}")
        await self._release(run)
        last = run.record.observation
        log.info("task stopped", task=run.spec.id, code=last.stop_code, reason=last.stopped_reason)

    async def _release(self, run: TaskRun) -> None:
        """Until it works: a task whose remains can't be taken away is not STOPPED."""
        pause = FIRST_RETRY_SECONDS
        while not _is_stopped(run):
            try:
                await run.release()
            except Exception as error:  # of any part; what it said is told
                log.warning(
                    "cannot clean up after a task; trying again",
                    task=run.spec.id,
                    why=_plain(error),
                    after_seconds=pause,
                )
                await anyio.sleep(pause)
                pause = min(pause * 2, LONGEST_RETRY_SECONDS)


def _retire(journal: Journal) -> bool:
    """Give its name free; False if that can't be done now."""
    try:
        journal.retire()
    except OSError as error:
        log.warning("cannot forget a task; trying again", task=journal.directory.name, why=str(error))
        return False
    return True


async def _remove(journal: Journal, is_retired: bool) -> None:
    """Its files go in their own time."""
    pause = FIRST_RETRY_SECONDS
    while not is_retired:
        await anyio.sleep(pause)
        pause = min(pause * 2, LONGEST_RETRY_SECONDS)
        is_retired = _retire(journal)
    await anyio.to_thread.run_sync(journal.remove)


def _is_stopped(run: TaskRun) -> bool:
    return run.record.observation.last_status is LastStatus.STOPPED


def _plain(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
