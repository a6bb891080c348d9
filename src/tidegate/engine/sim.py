"""
An engine of virtual nodes on virtual time: the same contract, no processes.

What a container does is read from its image's name, so that a task definition is all that a test has to write:
`sim/run` runs until it is stopped, `sim/exit:3-after-10` exits with 3 after 10 seconds, `sim/missing` can't be pulled,
`sim/stubborn` ignores its stop signal. Seconds are those of anyio's clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import msgspec
from anyio.abc import TaskGroup

from tidegate.engine.engine import BadSpec, Cap, Gap, NoCapacity
from tidegate.engine.feed import Feed
from tidegate.model.blackbox import BlackBox, ContainerBox
from tidegate.model.session import Connection, CopyReport, ExecRequest, ExecSession, Receive, Send, SessionFailure
from tidegate.model.spec import ContainerSpec, SecurityGroupSpec, TaskSpec
from tidegate.model.status import ContainerStatus, LastStatus, Node, Observation, StopCode

LAUNCH_SECONDS = 0.03
_NOTHING = "this engine simulates: there is nothing to reach in a task"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a simulated container does."""

    exits_with: int | None = None
    after_seconds: float = 0
    can_be_pulled: bool = True
    obeys: bool = True


def behaviour_of(image: str) -> Behaviour:
    """Read a behaviour from an image's name; a name that is not ours runs until it is stopped."""
    name, _, tag = image.partition(":")
    match name:
        case "sim/exit":
            code, _, after = tag.partition("-after-")
            return Behaviour(exits_with=int(code), after_seconds=float(after or 0))
        case "sim/missing":
            return Behaviour(can_be_pulled=False)
        case "sim/stubborn":
            return Behaviour(obeys=False)
        case _:
            return Behaviour()


@dataclass(slots=True)
class _Run:
    spec: TaskSpec
    node: str
    observation: Observation
    stopping: anyio.Event = field(default_factory=anyio.Event)
    reason: str = ""
    code: StopCode = "UserInitiated"


class SimEngine:
    """
    Virtual nodes. `nodes` gives their sizes; what tasks declare is taken from them.

    Use inside `open()`; leaving it loses everything, as if the machines were switched off.
    """

    caps = frozenset({Cap.VOLUMES})

    def __init__(self, nodes: Sequence[Node], now: Callable[[], float] = anyio.current_time) -> None:
        self._nodes = {node.id: node for node in nodes}
        self._now = now
        self._feed = Feed()
        self._runs: dict[str, _Run] = {}
        self._boxes: dict[str, BlackBox] = {}
        self._group: TaskGroup | None = None
        self.security_groups: Mapping[str, SecurityGroupSpec] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run the simulation."""
        async with anyio.create_task_group() as group:
            self._group = group
            yield
            group.cancel_scope.cancel()

    async def nodes(self) -> Sequence[Node]:
        """See Engine."""
        return [self._less_what_runs(node) for node in self._nodes.values()]

    async def submit(self, spec: TaskSpec, node: str | None) -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        assert self._group is not None, "the engine is open"
        if spec.id in self._runs:
            return
        if node not in self._nodes:
            raise BadSpec(f"cannot run task {spec.id}: there is no node {node}")
        left = self._less_what_runs(self._nodes[node])
        if left.free_memory_mib < spec.memory_mib or left.free_cpu_units < spec.cpu_units:
            raise NoCapacity(f"cannot run task {spec.id} on {node}: it has {left.free_memory_mib} MiB left")
        observation = Observation(
            task=spec.id,
            revision=0,
            last_status=LastStatus.PENDING,
            containers=tuple(ContainerStatus(name=c.name) for c in spec.containers),
        )
        run = self._runs[spec.id] = _Run(spec, node, observation)
        self._say(run, connected_at=self._now())
        self._group.start_soon(self._live, run)

    async def stop(self, task: str, reason: str, code: StopCode = "UserInitiated") -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        run = self._runs.get(task)
        if run is not None and not run.stopping.is_set():
            run.reason, run.code = reason, code
            run.stopping.set()

    async def forget(self, task: str) -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        run = self._runs.get(task)
        if run is not None and run.observation.last_status is LastStatus.STOPPED:
            del self._runs[task]
            self._feed.forget(task)

    def snapshot(self) -> Sequence[Observation]:
        """See Engine."""
        return self._feed.snapshot()

    def watch(self) -> AsyncIterator[Observation | Gap]:
        """See Engine."""
        return self._feed.watch()

    async def black_box(self, task: str) -> BlackBox | None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        return self._boxes.get(task)

    async def retain(self, tasks: Collection[str]) -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        self._boxes = {task: box for task, box in self._boxes.items() if task in tasks}

    async def exec(self, task: str, container: str, request: ExecRequest) -> ExecSession:
        """See Engine: what is simulated has no processes."""
        await anyio.lowlevel.checkpoint()
        raise SessionFailure(_NOTHING)

    async def dial(self, task: str, port: int) -> Connection:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        raise SessionFailure(_NOTHING)

    async def copy_out(self, task: str, container: str, path: str, send: Send) -> CopyReport:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        raise SessionFailure(_NOTHING)

    async def copy_in(
        self,
        task: str,
        container: str,
        path: str,
        receive: Receive,
        *,
        into_directory: bool = False,
    ) -> CopyReport:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        raise SessionFailure(_NOTHING)

    async def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        self.security_groups = dict(groups)

    def _less_what_runs(self, node: Node) -> Node:
        here = [
            run.spec
            for run in self._runs.values()
            if run.node == node.id and run.observation.last_status is not LastStatus.STOPPED
        ]
        return msgspec.structs.replace(
            node,
            free_cpu_units=node.free_cpu_units - sum(spec.cpu_units for spec in here),
            free_memory_mib=node.free_memory_mib - sum(spec.memory_mib for spec in here),
        )

    def _say(self, run: _Run, **changes: object) -> None:
        run.observation = msgspec.structs.replace(run.observation, revision=run.observation.revision + 1, **changes)
        self._feed.publish(run.observation)

    async def _live(self, run: _Run) -> None:
        self._say(run, last_status=LastStatus.ACTIVATING, pull_started_at=self._now())
        await anyio.sleep(LAUNCH_SECONDS)
        self._say(run, pull_stopped_at=self._now())
        missing = next((c for c in run.spec.containers if not behaviour_of(c.image).can_be_pulled), None)
        if missing is not None:
            reason = f"CannotPullContainerError: {missing.image} does not exist"
            self._say(run, stop_code="TaskFailedToStart", stopped_reason=reason)
        elif not run.stopping.is_set():
            self._say(run, last_status=LastStatus.RUNNING, started_at=self._now(), containers=self._started(run))
            exited = await self._wait_for_end(run)
            if exited is not None:
                self._say(
                    run,
                    stop_code="EssentialContainerExited",
                    stopped_reason="Essential container in task exited",
                    containers=_exited(run.observation.containers, exited.name, behaviour_of(exited.image).exits_with),
                )
        await self._end(run)

    def _started(self, run: _Run) -> tuple[ContainerStatus, ...]:
        return tuple(
            msgspec.structs.replace(c, state="RUNNING", started_at=self._now()) for c in run.observation.containers
        )

    async def _wait_for_end(self, run: _Run) -> ContainerSpec | None:
        """The essential container that exits first, or None when the task was told to stop before."""
        leaving = [c for c in run.spec.containers if c.essential and behaviour_of(c.image).exits_with is not None]
        first = min(leaving, key=lambda c: behaviour_of(c.image).after_seconds, default=None)
        with anyio.move_on_after(behaviour_of(first.image).after_seconds if first else None):
            await run.stopping.wait()
            return None
        return first

    async def _end(self, run: _Run) -> None:
        if run.observation.stop_code is None:
            self._say(run, stop_code=run.code, stopped_reason=run.reason)
        self._say(run, last_status=LastStatus.STOPPING, stopping_at=self._now())
        stubborn = [c.stop_timeout_seconds for c in run.spec.containers if not behaviour_of(c.image).obeys]
        if run.observation.started_at is not None:
            await anyio.sleep(max(stubborn, default=0))
        ended = run.observation.containers
        for container in run.spec.containers:
            ended = _exited(ended, container.name, 143 if behaviour_of(container.image).obeys else 137)
        self._say(run, containers=ended, execution_stopped_at=self._now())
        self._say(run, last_status=LastStatus.DEPROVISIONING)
        boxes = tuple(ContainerBox(name=c.name) for c in run.spec.containers)
        self._boxes[run.spec.id] = BlackBox(task=run.spec.id, at=self._now(), is_final=True, containers=boxes)
        self._say(run, last_status=LastStatus.STOPPED, stopped_at=self._now())


def _exited(containers: tuple[ContainerStatus, ...], name: str, code: int | None) -> tuple[ContainerStatus, ...]:
    """`name` has stopped; with no exit code if it never ran."""
    return tuple(
        msgspec.structs.replace(c, state="STOPPED", exit_code=code if c.started_at is not None else None)
        if c.name == name and c.state != "STOPPED"
        else c
        for c in containers
    )
