"""
One task, from its specification to its end.

The run prepares what the containers share, then asks `plan` again and again what to do next, until every container
has stopped; then it gives everything back. It may be abandoned at any point (our process was killed): a later run of
the same task finds the containers as they are by then, and goes on.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import structlog
from anyio.abc import TaskGroup

from tidegate.model.blackbox import BlackBox
from tidegate.model.session import ExecRequest, ExecSession, SessionFailure
from tidegate.model.spec import TaskSpec
from tidegate.model.status import LastStatus
from tidegate.node.agent import plan
from tidegate.node.agent.blackbox import ContainerTraces, Measured
from tidegate.node.agent.container import ContainerRun
from tidegate.node.agent.environment import EnvironmentUnavailable
from tidegate.node.agent.fetch import ImageFetch
from tidegate.node.agent.journal import StopRequest
from tidegate.node.agent.parts import Parts
from tidegate.node.agent.pins import ImagePins
from tidegate.node.agent.plan import EndTask, Finish, GiveUp, Restart, Stage, Start, Stop
from tidegate.node.agent.processes import SharedProcesses
from tidegate.node.agent.reasons import ESSENTIAL_EXITED, HOST_RESTARTED, NETWORK_TIMEOUT, PROCESSES_LOST
from tidegate.node.agent.record import RETRY_SECONDS, TaskRecord
from tidegate.node.endpoint.facts import Probe, TaskFacts
from tidegate.node.network.network import NetworkFailure
from tidegate.node.output.sink import LogTargetMissing
from tidegate.node.runtime.runtime import Container, RuntimeFailure
from tidegate.node.volume.volumes import VolumeFailure

log = structlog.get_logger()

NETWORK_SECONDS = 180.0
"""For a task's network interface."""


class NetworkTimeout(Exception):
    """A network interface did not come in time."""


class TaskRun:
    """Advances one task: `run` to the end of its containers, `release` to STOPPED: nothing is left but its journal."""

    def __init__(
        self, spec: TaskSpec, parts: Parts, record: TaskRecord, pins: ImagePins, launching: anyio.CapacityLimiter
    ) -> None:
        self.spec = spec
        self.record = record
        self._parts = parts
        self._stop = record.journal.read_stop()
        self._is_stopping = record.observation.last_status.rank >= LastStatus.DEACTIVATING.rank
        self._is_lost = False
        self._namespace: Path | None = None
        self._changed = anyio.Event()
        self._images = ImageFetch(spec, parts, record, pins)
        self._fetching = anyio.CancelScope()
        self._watching = anyio.CancelScope()
        self._processes = SharedProcesses(spec, parts, record.journal)
        self._containers = {
            c.name: ContainerRun(spec, c, parts, record, launching, self._processes, self.wake) for c in spec.containers
        }

    def facts(self) -> TaskFacts:
        """What the task may be told of itself."""
        probes = {
            name: Probe(output=c.last_probe.output, exit_code=c.last_probe.code)
            for name, c in self._containers.items()
            if c.last_probe is not None
        }
        return TaskFacts(self.spec, self.record.observation, probes)

    def request_stop(self, request: StopRequest) -> None:
        """Stop the task; the first request counts. On a full disk too: after a crash we are asked again."""
        if self._stop is not None:
            return
        self._stop = request
        self.wake()
        try:
            self.record.journal.write_stop(request)
        except OSError as error:
            log.warning("cannot write that a task has to stop; stopping it", task=self.spec.id, why=str(error))

    def wake(self) -> None:
        """Look again: something has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Prepare, and drive until every container has stopped."""
        if self.record.observation.revision == 0:
            self.record.say(connected_at=self._parts.now())
        if self.record.is_of_an_earlier_boot:
            self._notice_restart_of_host()
        if not self._is_lost:
            await self._prepare()
        async with anyio.create_task_group() as group:
            await self._drive(group)
            self._fetching.cancel()
            self._watching.cancel()

    async def attach_exec(self, container: str, request: ExecRequest) -> ExecSession:
        """Run a command in a container that runs. Raises SessionFailure."""
        return await self.running(container).attach_exec(request)

    def running(self, container: str) -> Container:
        """A container that runs now. Raises SessionFailure."""
        found = self._containers.get(container)
        if found is None:
            raise SessionFailure(f"the task has no container {container}")
        return found.running()

    @property
    def network(self) -> Path:
        """The file of its network namespace. Raises SessionFailure where it has none (any more)."""
        if self._namespace is None:
            raise SessionFailure("the task has no network")
        return self._namespace

    async def black_box(self) -> BlackBox:
        """What there is to say of it now, beside its status."""
        return await self._parts.recorder.look(self.spec.id, self._parts.now(), *self._traces())

    def _traces(self) -> tuple[Measured, list[ContainerTraces]]:
        cgroups, task = self._parts.cgroups, self.spec.id
        measured = Measured(cgroups.counters(task), cgroups.oom_kills(task))
        return measured, [container.traces() for container in self._containers.values()]

    def abort(self, reason: str) -> None:
        """End a run that went wrong; `release` kills what there is."""
        self._blame_node(reason)
        for container in self._containers.values():
            container.abandon()

    def _blame_node(self, reason: str) -> None:
        has_run = self.record.observation.started_at is not None
        self.record.blame("InfrastructureHealth" if has_run else "TaskFailedToStart", reason)

    def _notice_restart_of_host(self) -> None:
        """A task that ran has ended; one of which nothing ran yet is begun again."""
        for container in self._containers.values():
            container.lose()
        self._is_lost = any(container.known.has_run for container in self._containers.values())
        if self._is_lost:
            request = self._stop or StopRequest(HOST_RESTARTED, "TerminationNotice")
            self.record.blame(request.code, request.reason)
            self._is_stopping = True

    async def _prepare(self) -> None:
        """What the containers share. A failure ends the task before any of them has run."""
        parts, record = self._parts, self.record
        if self._stop is None and not self._is_stopping:
            record.say(last_status=LastStatus.ACTIVATING)
        try:
            async with record.phase("network"):
                namespace = self._namespace = await self._attach()
            async with record.phase("cgroup"):
                await parts.cgroups.create(self.spec)
            has_run = any(container.known.has_run for container in self._containers.values())
            may_be_there = not record.is_of_an_earlier_boot
            await self._processes.ensure(namespace, record.phase, has_run=has_run, may_be_there=may_be_there)
            async with record.phase("disk"):
                await parts.volumes.prepare(self.spec)
            for container in self._containers.values():
                await container.prepare(namespace)
        except LogTargetMissing as missing:
            self._fail(f"ResourceInitializationError: failed to validate logger args: {missing}")
        except EnvironmentUnavailable as failure:
            self._fail(str(failure))
        except NetworkTimeout:
            self._fail(NETWORK_TIMEOUT)
        except (NetworkFailure, RuntimeFailure, VolumeFailure, OSError) as failure:
            self._fail(f"ResourceInitializationError: {failure}")

    async def _attach(self) -> Path:
        with anyio.move_on_after(NETWORK_SECONDS):
            return await self._parts.network.attach(self.spec.id, self.spec.network)
        raise NetworkTimeout

    def _fail(self, reason: str) -> None:
        self._blame_node(reason)
        self._is_stopping = True

    async def _drive(self, group: TaskGroup) -> None:
        group.start_soon(self._fetch_images)
        group.start_soon(self._watch_processes)
        for container in self._containers.values():
            container.resume(group)
        while True:
            self._changed = anyio.Event()
            self._notice_stop()
            self._notice_loss()
            self._notice_start()
            known = {name: c.known for name, c in self._containers.items()}
            step = plan.plan_containers(self.spec, known, is_stopping=self._is_stopping, now=self._parts.now())
            for action in step.actions:
                self._act(action, group)
            if step.actions:
                continue
            if plan.has_stopped(self.spec, known):
                return
            if self.record.has_news:
                self.record.say()
            with anyio.move_on_after(self._patience(step)):
                await self._changed.wait()
            self.record.flush()

    def _patience(self, step: plan.Plan) -> float | None:
        """How long to wait for something to happen, in seconds."""
        waits = [] if step.wake_at is None else [max(0.0, step.wake_at - self._parts.now())]
        return min([*waits, RETRY_SECONDS] if self.record.is_behind else waits, default=None)

    def _notice_stop(self) -> None:
        if self._stop is None or self._is_stopping:
            return
        self.record.blame(self._stop.code, self._stop.reason)
        self._begin_stop()

    def _notice_loss(self) -> None:
        if self._processes.is_lost and not self._is_stopping:
            self.record.blame("EssentialContainerExited", PROCESSES_LOST)
            self._begin_stop()

    async def _watch_processes(self) -> None:
        with self._watching:
            await self._processes.watch()
            self.wake()

    def _begin_stop(self) -> None:
        self._is_stopping = True
        self._fetching.cancel()
        if self.record.observation.started_at is not None:
            self.record.say(last_status=LastStatus.DEACTIVATING, stopping_at=self._parts.now())
        self.record.say(
            last_status=LastStatus.STOPPING, stopping_at=self.record.observation.stopping_at or self._parts.now()
        )

    def _notice_start(self) -> None:
        if self._is_stopping or self.record.observation.started_at is not None:
            return
        if plan.has_started(self.spec, {name: c.known for name, c in self._containers.items()}):
            self.record.say(last_status=LastStatus.RUNNING, started_at=self._parts.now())

    def _act(self, action: plan.Action, group: TaskGroup) -> None:
        match action:
            case Start(name):
                self._containers[name].start(group)
            case Stop(name):
                self._containers[name].stop(group)
            case Restart(name):
                self._containers[name].restart(group)
            case Finish(name):
                self._containers[name].finish()
            case GiveUp(name, exit_code, reason):
                self._containers[name].give_up(exit_code, reason)
            case EndTask(name, has_run):
                if has_run:
                    self.record.blame("EssentialContainerExited", ESSENTIAL_EXITED)
                else:
                    why = self.record.container(name).reason
                    self.record.blame("TaskFailedToStart", why or "Task failed to start")
                self._begin_stop()

    async def _fetch_images(self) -> None:
        with self._fetching:
            await self._images.run(c for c in self._containers.values() if c.known.stage is Stage.WAITING)

    async def release(self) -> None:
        """
        Give back what the task used: it is STOPPED then. What can't be given back raises, and is tried again.

        What can't be given back before our end is found again at the next start.
        """
        record, parts = self.record, self._parts
        now = parts.now()
        record.say(
            last_status=LastStatus.DEPROVISIONING,
            stopping_at=record.observation.stopping_at or now,
            execution_stopped_at=record.observation.execution_stopped_at or now,
        )
        self._namespace = None
        async with anyio.create_task_group() as group:
            group.start_soon(parts.recorder.keep, self.spec.id, now, *self._traces())
            for container in self._containers.values():
                group.start_soon(container.release)
            group.start_soon(parts.network.detach, self.spec.id)
        await self._processes.remove()
        await parts.volumes.release(self.spec)
        await parts.cgroups.remove(self.spec.id)
        record.say(last_status=LastStatus.STOPPED, stopped_at=parts.now())
        if record.is_behind:
            record.journal.clear()  # its files may be what fills the disk; else they go when it is forgotten
        await record.settle()
