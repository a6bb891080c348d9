"""One container of a task: started, watched over, started again or not, stopped, released."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec
import structlog
from anyio.abc import TaskGroup

from tidegate.kernel import failpoint
from tidegate.model.container_name import host_name
from tidegate.model.execution import RegistryLogin
from tidegate.model.image import Image
from tidegate.model.session import ExecRequest, ExecSession, SessionFailure
from tidegate.model.spec import ROUTER_VOLUME, ContainerSpec, ForwardTarget, TaskSpec
from tidegate.model.status import Health
from tidegate.node.agent.attempt import Attempt, HealthWatch
from tidegate.node.agent.blackbox import ContainerTraces, Measured
from tidegate.node.agent.environment import EnvironmentUnavailable
from tidegate.node.agent.parts import LaunchRequest, Parts
from tidegate.node.agent.plan import Known, Stage
from tidegate.node.agent.processes import SharedProcesses
from tidegate.node.agent.reasons import LOST, LOST_WITH_HOST, NODE_FAILED, PROCESSES_LOST, exit_reason, launch_reason
from tidegate.node.agent.record import TaskRecord
from tidegate.node.agent.secrets import resolve_login
from tidegate.node.image.images import ImageError
from tidegate.node.output.forward import Origin
from tidegate.node.output.pace import Tally
from tidegate.node.output.router import SOCKET
from tidegate.node.output.sink import LogTargetMissing
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.runtime import Bundle, Container, ExecResult, Exit, Found, RuntimeFailure, RuntimeTimeout
from tidegate.node.volume.volumes import VolumeFailure

log = structlog.get_logger()

RECOVER_PAUSES_SECONDS = (0.1, 1.0, 5.0)
KILLED = 128 + signal.SIGKILL
START_SECONDS = 60.0
"""For a container that is ready to let its first instruction run (Fargate's limit)."""


class ContainerRun:
    """The run's hands on one container. What it finds out goes to the record; `wake` tells the run to look."""

    def __init__(
        self,
        task: TaskSpec,
        spec: ContainerSpec,
        parts: Parts,
        record: TaskRecord,
        launching: anyio.CapacityLimiter,
        processes: SharedProcesses,
        wake: Callable[[], None],
    ) -> None:
        self._processes = processes
        self.spec = spec
        self._task, self._parts, self._record = task, parts, record
        self._launching = launching
        self._wake = wake
        self._log = spec.log
        self._namespace: Path | None = None
        self._image: Image | None = None
        self._environment: dict[str, str] = {}
        self.login: RegistryLogin | None = None
        """For the image's registry; known once it is prepared."""
        self._live: Container | None = None
        self._attempt: Attempt | None = None
        self._health: HealthWatch | None = None
        self._ended: Exit | None = None
        """How the last attempt ended, while that is not said yet."""
        status = record.container(spec.name)
        self._stage = Stage.STOPPED if status.state == "STOPPED" else Stage.WAITING
        self.bundle = Bundle(
            id=f"{task.id}-{host_name(spec.name)}",
            directory=record.journal.bundle(spec.name),
            cgroup=parts.cgroups.container_path(task.id, spec.name),
        )

    @property
    def known(self) -> Known:
        """What the rules go by."""
        status, ended = self._record.container(self.spec.name), self._ended
        return Known(
            stage=self._stage,
            image_ready=self._image is not None,
            exit_code=status.exit_code if ended is None else ended.code,
            has_run=status.started_at is not None,
            health=status.health,
            started_at=status.started_at,
            ran_seconds=self._ran_seconds(),
        )

    @property
    def last_probe(self) -> ExecResult | None:
        """What the health check came to last, by this process of ours."""
        return self._health.last_probe if self._health is not None else None

    def traces(self) -> ContainerTraces:
        """What a black box is made of; measured now, since a group's counts go with it."""
        return ContainerTraces(
            name=self.spec.name,
            log=BundleFiles.of(self.bundle).log,
            upper=self._parts.volumes.written(self._task, self.spec.name) / "upper",
            mounted=frozenset([*(m.path for m in self.spec.mounts), *(t.path for t in self.spec.tmpfs)]),
            probes=tuple(self._health.probes) if self._health is not None else (),
            measured=Measured(
                self._parts.cgroups.counters(self._task.id, self.spec.name),
                self._parts.cgroups.oom_kills(self._task.id, self.spec.name),
            ),
        )

    async def attach_exec(self, request: ExecRequest) -> ExecSession:
        """Run a command in it for somebody who talks to it. Raises SessionFailure."""
        return await self.running().attach_exec(request)

    def running(self) -> Container:
        """The container, if it runs now. Raises SessionFailure."""
        if self._live is None or self._stage not in (Stage.RUNNING, Stage.STOPPING):
            raise SessionFailure(f"container {self.spec.name} is not running")
        return self._live

    def _ran_seconds(self) -> float:
        """From the last start to the exit; the clock of the file system that told the exit may be a bit behind."""
        started_at = self._record.container(self.spec.name).last_started_at
        return max(0.0, self._ended.finished_at - started_at) if self._ended and started_at is not None else 0.0

    async def prepare(self, namespace: Path) -> None:
        """
        Have what it needs beside its image; find it, if it was started before.

        Raises LogTargetMissing, EnvironmentUnavailable.
        """
        self._namespace = namespace
        if self._stage is Stage.STOPPED:
            return
        status = self._record.container(self.spec.name)
        was_started = status.started_at is not None
        if was_started:
            await self._open_log(was_started)
        may_be_there = self.bundle.directory.exists() and not self._record.is_of_an_earlier_boot
        found = await self._recover() if may_be_there else None
        if found is not None or status.is_restarting:
            self._image = self._parts.images.find(self.spec.image, self._task.architecture)
            self._live, how = found or (None, "created")
            self._stage = Stage.STARTING if how == "created" or status.is_restarting else Stage.RUNNING
        elif was_started:
            self._stop_with(None, LOST)
        else:
            await failpoint.reach("environment.resolve", EnvironmentUnavailable)
            self._environment = dict(await self._parts.environment.resolve(self._task, self.spec))
            self.login = await resolve_login(self._parts.secrets, self._task, self.spec)
        if not was_started:  # not before the execution role was asked: this may create the group
            await self._open_log(was_started)

    async def _recover(self) -> Found | None:
        """What is lost here can't be had back: a runtime that can't tell now is asked again."""
        for pause in RECOVER_PAUSES_SECONDS:
            try:
                return await self._parts.runtime.recover(self.bundle)
            except RuntimeFailure as failure:
                log.warning("cannot find a container; trying again", container=self.bundle.id, why=str(failure))
                await anyio.sleep(pause)
        return await self._parts.runtime.recover(self.bundle)

    async def _open_log(self, was_started: bool) -> None:
        if self._log is None:
            return
        try:
            await failpoint.reach("log.open")
            await self._parts.sink.open(self._log, self.bundle.id)
        except LogTargetMissing:
            if not was_started:
                raise
            self._log = None  # deleted since: AWS drops what comes then, and the container goes on
        except OSError:
            if not was_started:
                raise  # what is there already is tried again by who follows the output

    def resume(self, group: TaskGroup) -> None:
        """Go on with a container that `prepare` found."""
        if self._record.container(self.spec.name).is_restarting:
            group.start_soon(self._launch_again, group)
        elif self._live is not None and self._stage is Stage.STARTING:
            group.start_soon(self._start_created, self._live, group)
        elif self._live is not None:
            self._begin_watch(self._live, group)

    def image_is_ready(self, image: Image) -> None:
        """The image is here."""
        self._image = image
        self._record.say_container(self.spec.name, quietly=True, image_digest=image.digest)
        self._wake()

    def start(self, group: TaskGroup) -> None:
        """Create and start it."""
        self._stage = Stage.STARTING
        group.start_soon(self._launch, group)

    def give_up(self, exit_code: int | None, reason: str) -> None:
        """It will never run."""
        self._stop_with(exit_code, reason)

    def stop(self, group: TaskGroup) -> None:
        """Signal it, and kill it when its time is up."""
        assert self._attempt is not None, "it runs"
        self._stage = Stage.STOPPING
        group.start_soon(
            self._attempt.stop, _stop_signal(self._image), self.spec.stop_timeout_seconds, self._note_reason
        )

    def restart(self, group: TaskGroup) -> None:
        """Start it again: what it wrote to its root file system stays, its health begins anew."""
        self._stage = Stage.STARTING
        status = self._record.container(self.spec.name)
        self._record.say_container(
            self.spec.name,
            health="UNKNOWN",
            health_since=None if status.health == "UNKNOWN" else self._parts.now(),
            restart_count=status.restart_count + 1,
            is_restarting=True,
        )
        group.start_soon(self._launch_again, group)

    def finish(self) -> None:
        """Its exit is final."""
        ended = self._ended
        assert ended is not None, "it has exited"
        reason = exit_reason(ended) or self._record.container(self.spec.name).reason
        if not reason and self._processes.is_lost:
            reason = PROCESSES_LOST
        self._stop_with(ended.code, reason, finished_at=ended.finished_at)

    def abandon(self) -> None:
        """Nobody looks after it any more; `release` kills what there is."""
        if self._stage is not Stage.STOPPED:
            self._stop_with(None, NODE_FAILED)

    def lose(self) -> None:
        """The host was restarted: it has ended, if it ever ran; else it can be made anew."""
        if self._stage is not Stage.STOPPED and self.known.has_run:
            self._stop_with(None, LOST_WITH_HOST)

    async def release(self) -> None:
        """Unmount and delete what it used; the bundle's files go with the task's directory."""
        if self._live is None and self.bundle.directory.exists():
            found = await self._parts.runtime.recover(self.bundle)
            self._live = found[0] if found is not None else None
        if self._live is not None:
            await self._live.remove()
        self._parts.runtime.forget(self.bundle)
        await self._parts.images.unmount_rootfs(self.bundle.directory, keep_written=True)

    async def _launch(self, group: TaskGroup) -> None:
        with self._ending_on_failure():
            async with self._launching:
                self.bundle.directory.mkdir(mode=0o700, exist_ok=True)
                self._live = await self._parts.launcher.create(self._request(), self._record.phase)
                self._record.say_container(self.spec.name, quietly=True, created_at=self._parts.now())
                await self._start_created(self._live, group)

    async def _launch_again(self, group: TaskGroup) -> None:
        """After a crash of ours this is done once more, from the beginning: nothing of it has been let run yet."""
        with self._ending_on_failure():
            async with self._launching:
                if self._live is not None:
                    await self._live.remove()
                self._live = await self._parts.launcher.create_again(self.bundle, self._processes.namespace())
                # From here on, what is found after a crash is what is to run.
                self._record.say_container(self.spec.name, is_restarting=False, restarted_at=self._parts.now())
                await self._let_run(self._live)
                self._begin_watch(self._live, group)

    def _request(self) -> LaunchRequest:
        assert self._image is not None
        assert self._namespace is not None
        return LaunchRequest(
            task=self._task,
            container=msgspec.structs.replace(self.spec, environment=self._environment),
            image=self._image,
            bundle=self.bundle,
            network_namespace=self._namespace,
            process_namespace=self._processes.namespace(),
        )

    async def _start_created(self, live: Container, group: TaskGroup) -> None:
        with self._ending_on_failure():
            async with self._record.phase(f"start {self.spec.name}"):
                await self._let_run(live)
            self._begin_watch(live, group)

    async def _let_run(self, live: Container) -> None:
        with anyio.move_on_after(START_SECONDS):
            await live.start()
            return
        raise RuntimeTimeout("start", f"cannot start container {self.bundle.id}: it hangs", START_SECONDS)

    @contextmanager
    def _ending_on_failure(self) -> Iterator[None]:
        """A container that can't be made or let run has ended, and says why; its exit code is that of its last life."""
        code = None if self._ended is None else self._ended.code
        try:
            yield
        except (RuntimeFailure, ImageError, VolumeFailure, OSError) as error:
            self._stop_with(code, launch_reason(error))

    def _begin_watch(self, live: Container, group: TaskGroup) -> None:
        status = self._record.container(self.spec.name)
        if status.started_at is None:
            self._record.say_container(
                self.spec.name,
                quietly=True,
                state="RUNNING",
                started_at=self._parts.now(),
                runtime_id=self._task.runtime_id(self.spec.name),
            )
            self._record.has_news = True
        self._stage = Stage.RUNNING
        origin = Origin(self._task.runtime_id(self.spec.name), self.spec.name)
        self._attempt = Attempt(live, self._log or self._router(), origin, self._parts.output)
        group.start_soon(self._watch_over, self._attempt)
        self._wake()

    def _router(self) -> ForwardTarget | None:
        """Where the task's log router listens, if it takes this container's output."""
        target = self.spec.forward
        if target is None or target.address:
            return target
        socket = self._parts.volumes.place(self._task, ROUTER_VOLUME) / SOCKET
        return msgspec.structs.replace(target, address=f"unix://{socket}")

    async def _watch_over(self, attempt: Attempt) -> None:
        self._health = self._health_watch()
        self._ended = await attempt.run(self._health)
        if self._ended.code == KILLED:
            await self._processes.settle()
        self._note_output(attempt.tally)
        self._stage = Stage.EXITED
        self._wake()

    def _health_watch(self) -> HealthWatch | None:
        if self.spec.health_check is None:
            return None
        status = self._record.container(self.spec.name)
        started_at = status.last_started_at or self._parts.now()
        return HealthWatch(self.spec.health_check, status.health, started_at, self._report_health, self._parts.now)

    def _note_output(self, tally: Tally) -> None:
        if tally.dropped_lines or tally.is_cut:
            lines = self._record.container(self.spec.name).dropped_lines + tally.dropped_lines
            is_cut = tally.is_cut or self._record.container(self.spec.name).is_output_cut
            self._record.say_container(self.spec.name, quietly=True, dropped_lines=lines, is_output_cut=is_cut)

    def _note_reason(self, reason: str) -> None:
        if reason != self._record.container(self.spec.name).reason:
            self._record.say_container(self.spec.name, reason=reason)

    def _report_health(self, health: Health) -> None:
        self._record.say_container(self.spec.name, health=health, health_since=self._parts.now())
        self._wake()

    def _stop_with(self, exit_code: int | None, reason: str, finished_at: float | None = None) -> None:
        self._stage = Stage.STOPPED
        self._record.say_container(
            self.spec.name, quietly=True, state="STOPPED", exit_code=exit_code, reason=reason, finished_at=finished_at
        )
        self._record.has_news = True
        self._wake()


def _stop_signal(image: Image | None) -> int:
    """The image's STOPSIGNAL, by name or number; SIGTERM if it has none."""
    wanted = image.config.stop_signal if image is not None else ""
    if wanted.isdigit():
        return int(wanted)
    name = wanted if wanted.startswith("SIG") else f"SIG{wanted}"
    return signal.Signals[name] if name in signal.Signals.__members__ else signal.SIGTERM
