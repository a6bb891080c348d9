"""A node without a kernel: containers that are acted as `engine.sim` reads them from image names, on anyio's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec

from fakes.channels import Command
from tidegate.engine.sim import Behaviour, behaviour_of
from tidegate.model.blackbox import BlackBox, ContainerBox
from tidegate.model.execution import RegistryLogin
from tidegate.model.image import Image, ImageConfig
from tidegate.model.session import ExecRequest, ExecSession, SessionFailure
from tidegate.model.spec import ContainerSpec, LogTarget, NetworkSpec, SecurityGroupSpec, TaskSpec
from tidegate.node.agent.blackbox import ContainerTraces, Measured
from tidegate.node.agent.environment import DefinedEnvironment, EnvironmentSource
from tidegate.node.agent.parts import LaunchRequest, Parts, PhaseTimer
from tidegate.node.agent.secrets import NoSecrets, SecretSource
from tidegate.node.image.images import ImageNotFound, Progress
from tidegate.node.network.network import NetworkFailure
from tidegate.node.output.pace import Tally
from tidegate.node.output.sink import Outlet
from tidegate.node.runtime.runtime import Bundle, Container, ExecResult, Exit, RuntimeFailure
from tidegate.node.volume.volumes import Bound, StorageUse, VolumeFailure

SIGKILL, SIGTERM = 9, 15


@dataclass(slots=True)
class FakeContainer:
    """Exits as its image says, obeys SIGTERM or not, dies of SIGKILL."""

    world: World
    bundle: Bundle
    behaviour: Behaviour
    pid: int = 1
    is_started: bool = False
    exit: Exit | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    signals: list[int] = field(default_factory=list)

    async def start(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self.bundle.id in self.world.cannot_start:
            raise RuntimeFailure("start", "exec: no such file")
        if "start" in self.world.hanging:
            await anyio.sleep_forever()
        self.is_started = True
        self.world.events.append(f"start {self.bundle.directory.name[2:]}")
        if self.behaviour.exits_with is not None:
            self.world.at(self.behaviour.after_seconds, lambda: self.end(self.behaviour.exits_with or 0))

    def end(self, code: int) -> None:
        if self.exit is None:
            self.exit = Exit(code, oom_killed=code == 137 and not self.signals, finished_at=self.world.now())
            self.world.events.append(f"exit {self.bundle.directory.name[2:]}")
            self.ended.set()

    async def wait(self) -> Exit:
        await self.ended.wait()
        assert self.exit is not None
        return self.exit

    def process_namespace(self) -> Path:
        if self.exit is not None:
            raise RuntimeFailure("create", "it has ended")
        return Path("/fake") / self.bundle.id

    def kill(self, signal: int) -> None:
        self.signals.append(signal)
        if self.world.kill_failure is not None:
            raise self.world.kill_failure
        if signal == SIGKILL or self.behaviour.obeys:
            self.end(128 + signal)

    async def exec(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout_seconds: float
    ) -> ExecResult:
        await anyio.lowlevel.checkpoint()
        answer = self.world.health(self.bundle.directory.name[2:])
        return ExecResult(0 if answer else 1, "")

    async def attach_exec(self, request: ExecRequest) -> ExecSession:
        await anyio.lowlevel.checkpoint()
        if self.exit is not None or not self.is_started:
            raise SessionFailure("it does not run")
        command = Command()
        command.exit(0)
        return command

    def open_root(self) -> int:
        raise SessionFailure("it has no files")

    async def remove(self) -> None:
        self.signals.append(SIGKILL)
        self.end(137)
        self.world.containers.pop(self.bundle.id, None)


class World:
    """All that the fakes share; outlives a node, as a kernel would."""

    def __init__(self) -> None:
        self.containers: dict[str, FakeContainer] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.namespaces: set[str] = set()
        self.cgroups: set[str] = set()
        self.disks: set[str] = set()
        self.rootfs: set[Path] = set()
        self.forgotten: set[str] = set()
        """Bundles whose configuration was deleted."""
        self.streams: list[LogTarget] = []
        self.boxes: dict[str, BlackBox] = {}
        self.events: list[str] = []
        self.pulls: list[tuple[str, RegistryLogin | None]] = []
        self.environments: dict[str, Mapping[str, str]] = {}
        """Of each container that was created, by its name."""
        self.environment: EnvironmentSource = DefinedEnvironment()
        self.secrets: SecretSource = NoSecrets()
        self.cannot_start: set[str] = set()
        self.network_failure: NetworkFailure | None = None
        self.kill_failure: OSError | None = None
        self.unmount_failures = 0
        """So many unmounts fail."""
        self.sink_failure: OSError | None = None
        self.hanging: set[str] = set()
        """Steps that never end: attach, start."""
        self.boot = "first"
        self.volume_failure: VolumeFailure | None = None
        self.health: Callable[[str], bool] = lambda _: True
        self._timers: anyio.abc.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            self._timers = group
            yield
            group.cancel_scope.cancel()

    def now(self) -> float:
        return anyio.current_time()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        async def later() -> None:
            await anyio.sleep(seconds)
            action()

        assert self._timers is not None
        self._timers.start_soon(later)

    def restart_host(self) -> None:
        """All that is not on a disk is gone."""
        self.boot += "+"
        for kept in (self.containers, self.namespaces, self.cgroups, self.rootfs):
            kept.clear()

    def is_empty(self) -> bool:
        return not (self.containers or self.namespaces or self.cgroups or self.disks or self.rootfs)

    def parts(self) -> Parts:
        return Parts(
            runtime=FakeRuntime(self),
            images=FakeImages(self),  # type: ignore[arg-type]
            network=FakeNetwork(self),
            cgroups=FakeCgroups(self),
            volumes=FakeVolumes(self),
            launcher=FakeLauncher(self),
            environment=self.environment,
            output=FakeOutput(),
            sink=FakeSink(self),
            recorder=FakeRecorder(self),
            now=self.now,
            boot=self.boot,
            secrets=self.secrets,
        )


@dataclass(slots=True)
class FakeRuntime:
    world: World
    name: str = "fake"

    async def create(self, bundle: Bundle, config: Mapping[str, Any]) -> Container:
        raise NotImplementedError("the fake launcher makes containers itself")

    async def recover(self, bundle: Bundle) -> tuple[Container, Literal["created", "started"]] | None:
        await anyio.lowlevel.checkpoint()
        found = self.world.containers.get(bundle.id)
        return None if found is None else (found, "started" if found.is_started else "created")

    def forget(self, bundle: Bundle) -> None:
        self.world.forgotten.add(bundle.id)


@dataclass(slots=True)
class FakeLauncher:
    world: World

    async def create(self, request: LaunchRequest, phase: PhaseTimer) -> Container:
        async with phase(f"create {request.container.name}"):
            await anyio.sleep(0.01)
        self.world.environments[request.container.name] = request.container.environment
        self.world.rootfs.add(request.bundle.directory)
        self.world.behaviours[request.bundle.id] = behaviour_of(request.container.image)
        return self._create(request.bundle)

    async def hold_processes(self, bundle: Bundle, network_namespace: Path) -> Container:
        await anyio.sleep(0.01)
        self.world.behaviours[bundle.id] = Behaviour()
        return self._create(bundle)

    async def create_again(self, bundle: Bundle, process_namespace: Path | None) -> Container:
        assert bundle.directory in self.world.rootfs, "the root file system is kept"
        assert bundle.id not in self.world.containers, "it was removed before"
        await anyio.sleep(0.01)
        return self._create(bundle)

    def _create(self, bundle: Bundle) -> FakeContainer:
        container = FakeContainer(self.world, bundle, self.world.behaviours[bundle.id])
        self.world.containers[bundle.id] = container
        return container


@dataclass(slots=True)
class FakeImages:
    world: World
    here: set[str] = field(default_factory=set)

    def find(self, reference: str, architecture: str | None = None) -> Image | None:
        if reference in self.here:
            return Image(
                references=(reference,), digest="sha256:0", config=ImageConfig(), layers=(), size_bytes=0, created_at=0
            )
        return None

    async def ensure(
        self,
        reference: str,
        architecture: str,
        progress: Progress | None = None,
        *,
        login: RegistryLogin | None = None,
    ) -> Image:
        await anyio.sleep(0.02)
        self.world.pulls.append((reference, login))
        if not behaviour_of(reference).can_be_pulled:
            raise ImageNotFound(f"{reference} does not exist")
        self.here.add(reference)
        image = self.find(reference)
        assert image is not None
        return image

    async def unmount_rootfs(self, directory: Path, *, keep_written: bool = False) -> None:
        await anyio.lowlevel.checkpoint()
        if self.world.unmount_failures:
            self.world.unmount_failures -= 1
            raise OSError("busy")
        self.world.rootfs.discard(directory)


@dataclass(slots=True)
class FakeNetwork:
    world: World

    async def open(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def attach(self, task: str, spec: NetworkSpec) -> Path:
        await anyio.lowlevel.checkpoint()
        if self.world.network_failure is not None:
            raise self.world.network_failure
        if "attach" in self.world.hanging:
            await anyio.sleep_forever()
        self.world.namespaces.add(task)
        return Path("/namespaces") / task

    async def detach(self, task: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.world.namespaces.discard(task)

    def attached(self) -> set[str]:
        return set(self.world.namespaces)

    async def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        await anyio.lowlevel.checkpoint()

    async def close(self, *, remove: bool) -> None:
        await anyio.lowlevel.checkpoint()


@dataclass(slots=True)
class FakeVolumes:
    world: World

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield

    async def prepare(self, task: TaskSpec) -> None:
        await anyio.lowlevel.checkpoint()
        if self.world.volume_failure is not None:
            raise self.world.volume_failure
        self.world.disks.add(task.id)

    def admit(self, task: TaskSpec, image: Image) -> None:
        if image.size_bytes > task.ephemeral_storage_gib << 30:
            raise VolumeFailure("no space left on device")

    async def bind(self, task: TaskSpec, container: ContainerSpec, image: Image, rootfs: Path) -> Bound:
        raise NotImplementedError("the fake launcher mounts nothing")

    def written(self, task: TaskSpec, container: str) -> Path:
        return Path("/disks") / task.id / container

    def place(self, task: TaskSpec, volume: str) -> Path:
        return Path("/disks") / task.id / volume

    def use(self, task: str) -> StorageUse | None:
        return StorageUse(1, 20496) if task in self.world.disks else None

    async def release(self, task: TaskSpec) -> None:
        await anyio.lowlevel.checkpoint()
        self.world.disks.discard(task.id)

    async def keep_only(self, tasks: set[str]) -> None:
        await anyio.lowlevel.checkpoint()
        self.world.disks &= tasks


@dataclass(slots=True)
class FakeCgroups:
    world: World

    async def create(self, task: TaskSpec) -> None:
        await anyio.lowlevel.checkpoint()
        self.world.cgroups.add(task.id)

    async def remove(self, task: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.world.cgroups.discard(task)

    def tasks(self) -> set[str]:
        return set(self.world.cgroups)

    def container_path(self, task: str, container: str) -> str:
        return f"/tidegate-test/{task}/{container}"

    def counters(self, task: str, container: str | None = None) -> None:
        return None

    def oom_kills(self, task: str, container: str | None = None) -> int:
        return 0


@dataclass(slots=True)
class FakeRecorder:
    world: World

    async def look(self, task: str, at: float, measured: Measured, traces: Sequence[ContainerTraces]) -> BlackBox:
        await anyio.lowlevel.checkpoint()
        return BlackBox(task=task, at=at, containers=tuple(ContainerBox(name=one.name) for one in traces))

    async def keep(self, task: str, at: float, measured: Measured, traces: Sequence[ContainerTraces]) -> None:
        box = await self.look(task, at, measured, traces)
        self.world.boxes.setdefault(task, msgspec.structs.replace(box, is_final=True))

    async def read(self, task: str) -> BlackBox | None:
        await anyio.lowlevel.checkpoint()
        return self.world.boxes.get(task)

    async def retain(self, tasks: Collection[str]) -> None:
        await anyio.lowlevel.checkpoint()
        self.world.boxes = {task: box for task, box in self.world.boxes.items() if task in tasks}


class FakeOutput:
    @asynccontextmanager
    async def follow(
        self, path: Path, source: str, target: object, outlet: Outlet, origin: object
    ) -> AsyncIterator[Tally]:
        yield Tally()


@dataclass(slots=True)
class FakeSink:
    world: World

    async def open(self, target: LogTarget, source: str) -> int:
        await anyio.lowlevel.checkpoint()
        if self.world.sink_failure is not None:
            raise self.world.sink_failure
        self.world.streams.append(target)
        return 0

    async def append(self, target: LogTarget, source: str, events: Sequence[Any], offset: int) -> None:
        await anyio.lowlevel.checkpoint()
