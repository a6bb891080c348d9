"""One container of a task: started, supervised, probed, stopped, released."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import structlog
from anyio.abc import TaskGroup

from tidegate.model.image import Image
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.node.agent.health import HealthState, watch_health
from tidegate.node.agent.parts import LaunchRequest, Parts
from tidegate.node.agent.plan import Known, Stage
from tidegate.node.agent.record import TaskRecord
from tidegate.node.image.images import ImageError
from tidegate.node.output.sink import LogTargetMissing
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.runtime import Bundle, Container, ExecResult, Exit, RuntimeFailure

log = structlog.get_logger()

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
SUPERVISOR_LOST = "ContainerRuntimeError: the container was killed because its supervisor was lost"
LOST = "ContainerRuntimeError: the container was lost while the node was down; its exit code is not known"


class ContainerRun:
    """The run's hands on one container. What it finds out goes to the record; `wake` tells the run to look."""

    def __init__(
        self,
        task: TaskSpec,
        spec: ContainerSpec,
        parts: Parts,
        record: TaskRecord,
        launching: anyio.CapacityLimiter,
        wake: Callable[[], None],
    ) -> None:
        self._task, self._spec, self._parts, self._record = task, spec, parts, record
        self._launching = launching
        self._wake = wake
        self._log = spec.log
        self._namespace: Path | None = None
        self._image: Image | None = None
        self._environment: dict[str, str] = {}
        self._live: Container | None = None
        self._exited = anyio.Event()
        self._probing = anyio.CancelScope()
        self.last_probe: ExecResult | None = None
        """What the health check came to last, by this process of ours."""
        status = record.container(spec.name)
        self._stage = Stage.STOPPED if status.state == "STOPPED" else Stage.WAITING
        self.bundle = Bundle(
            id=f"{task.id}-{spec.name}",
            directory=record.journal.bundle(spec.name),
            cgroup=parts.cgroups.container_path(task.id, spec.name),
        )

    @property
    def known(self) -> Known:
        """What the rules go by."""
        status = self._record.container(self._spec.name)
        return Known(
            stage=self._stage,
            image_ready=self._image is not None,
            exit_code=status.exit_code,
            has_run=status.started_at is not None,
            health=status.health,
            started_at=status.started_at,
        )

    async def prepare(self, namespace: Path) -> None:
        """
        Have what it needs beside its image; find it, if it was started before.

        Raises LogTargetMissing, EnvironmentUnavailable.
        """
        self._namespace = namespace
        if self._stage is Stage.STOPPED:
            return
        was_started = self._record.container(self._spec.name).started_at is not None
        await self._open_log(was_started)
        found = await self._parts.runtime.recover(self.bundle) if self.bundle.directory.exists() else None
        if found is not None:
            self._live, how = found
            self._image = self._parts.images.find(self._spec.image, self._task.architecture)
            self._stage = Stage.RUNNING if how == "started" else Stage.STARTING
        elif was_started:
            self._stop_with(None, LOST)
        else:
            self._environment = dict(await self._parts.environment.resolve(self._task, self._spec))

    async def _open_log(self, was_started: bool) -> None:
        if self._log is None:
            return
        try:
            await self._parts.sink.open(self._log, self.bundle.id)
        except LogTargetMissing:
            if not was_started:
                raise
            self._log = None  # deleted since: AWS drops what comes then, and the container goes on

    def resume(self, group: TaskGroup) -> None:
        """Go on with a container that `prepare` found."""
        if self._live is None:
            return
        if self._stage is Stage.STARTING:
            group.start_soon(self._start_created, self._live, group)
        else:
            self._begin_supervision(self._live, group)

    def image_is_ready(self, image: Image) -> None:
        """The image is here."""
        self._image = image
        self._record.say_container(self._spec.name, quietly=True, image_digest=image.digest)
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
        self._stage = Stage.STOPPING
        self._probing.cancel()
        group.start_soon(self._stop)

    def abandon(self) -> None:
        """Nobody looks after it any more; `release` kills what there is."""
        if self._stage is not Stage.STOPPED:
            self._stop_with(None, "ContainerRuntimeError: the node could not go on")

    async def release(self) -> None:
        """Unmount and delete what it used; the bundle's files go with the task's directory."""
        if self._live is None and self.bundle.directory.exists():
            found = await self._parts.runtime.recover(self.bundle)
            self._live = found[0] if found is not None else None
        if self._live is not None:
            await self._live.remove()
        await self._parts.images.unmount_rootfs(self.bundle.directory, keep_written=True)

    async def _launch(self, group: TaskGroup) -> None:
        assert self._image is not None
        assert self._namespace is not None
        journal = self._record.journal
        request = LaunchRequest(
            task=self._task,
            container=msgspec.structs.replace(self._spec, environment=self._environment),
            image=self._image,
            bundle=self.bundle,
            network_namespace=self._namespace,
            volumes={name: journal.volume(name) for name in self._task.volumes},
        )
        try:
            async with self._launching:
                self.bundle.directory.mkdir(mode=0o700, exist_ok=True)
                self._live = await self._parts.launcher.create(request, self._record.phase)
                self._record.say_container(self._spec.name, quietly=True, created_at=self._parts.now())
                await self._start_created(self._live, group)
        except RuntimeFailure as failure:
            self._stop_with(None, f"{_error_name(failure)}: {failure}")
        except (ImageError, OSError) as error:
            self._stop_with(None, f"CannotCreateContainerError: {error}")

    async def _start_created(self, live: Container, group: TaskGroup) -> None:
        try:
            async with self._record.phase(f"start {self._spec.name}"):
                await live.start()
        except RuntimeFailure as failure:
            self._stop_with(None, f"CannotStartContainerError: {failure}")
            return
        self._begin_supervision(live, group)

    def _begin_supervision(self, live: Container, group: TaskGroup) -> None:
        status = self._record.container(self._spec.name)
        if status.started_at is None:
            self._record.say_container(
                self._spec.name,
                quietly=True,
                state="RUNNING",
                started_at=self._parts.now(),
                runtime_id=self._task.runtime_id(self._spec.name),
            )
        self._stage = Stage.RUNNING
        group.start_soon(self._supervise, live)
        if self._spec.health_check is not None:
            group.start_soon(self._watch_health, live)
        self._wake()

    async def _supervise(self, live: Container) -> None:
        output = self._parts.output.follow(BundleFiles.of(self.bundle).log, self.bundle.id, self._log)
        async with output:
            ended = await live.wait()
            self._exited.set()
            self._probing.cancel()
        self._note_exit(ended)

    def _note_exit(self, ended: Exit) -> None:
        reason = OUT_OF_MEMORY if ended.oom_killed else SUPERVISOR_LOST if ended.supervisor_lost else ""
        self._stop_with(ended.code, reason, finished_at=ended.finished_at)

    def _stop_with(self, exit_code: int | None, reason: str, finished_at: float | None = None) -> None:
        self._stage = Stage.STOPPED
        self._record.say_container(
            self._spec.name, quietly=True, state="STOPPED", exit_code=exit_code, reason=reason, finished_at=finished_at
        )
        self._record.has_news = True
        self._wake()

    async def _watch_health(self, live: Container) -> None:
        check = self._spec.health_check
        assert check is not None

        async def probe() -> bool:
            result = await live.exec(check.command, environment={}, timeout_seconds=check.timeout_seconds)
            self.last_probe = result
            return result.code == 0

        def report(state: HealthState) -> None:
            self._record.say_container(self._spec.name, health=state.health, health_since=self._parts.now())
            self._wake()

        started_at = self._record.container(self._spec.name).started_at or self._parts.now()
        with self._probing:
            await watch_health(check, probe, report, started_at, self._parts.now)

    async def _stop(self) -> None:
        live = self._live
        assert live is not None
        live.kill(_stop_signal(self._image))
        with anyio.move_on_after(self._spec.stop_timeout_seconds):
            await self._exited.wait()
            return
        live.kill(signal.SIGKILL)
        await self._exited.wait()


def _error_name(failure: RuntimeFailure) -> str:
    return "CannotStartContainerError" if failure.step == "start" else "CannotCreateContainerError"


def _stop_signal(image: Image | None) -> int:
    """The image's STOPSIGNAL, by name or number; SIGTERM if it has none."""
    wanted = image.config.stop_signal if image is not None else ""
    if wanted.isdigit():
        return int(wanted)
    name = wanted if wanted.startswith("SIG") else f"SIG{wanted}"
    return signal.Signals[name] if name in signal.Signals.__members__ else signal.SIGTERM
