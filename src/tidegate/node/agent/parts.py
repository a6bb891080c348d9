"""What a task's run works with; wired by the server, faked by tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tidegate.kernel.process import boot_id
from tidegate.model.blackbox import BlackBox
from tidegate.model.counters import GroupCounters
from tidegate.model.image import Image
from tidegate.model.spec import ContainerSpec, ForwardTarget, LogTarget, TaskSpec
from tidegate.node.agent.blackbox import ContainerTraces, Measured
from tidegate.node.agent.environment import EnvironmentSource
from tidegate.node.agent.secrets import NoSecrets, SecretSource
from tidegate.node.image.images import Images
from tidegate.node.network.network import Network
from tidegate.node.output.forward import Origin
from tidegate.node.output.pace import Tally
from tidegate.node.output.sink import LogSink, Outlet
from tidegate.node.runtime.runtime import Bundle, Container, Runtime
from tidegate.node.volume.volumes import Volumes


class TaskCgroups(Protocol):
    """The cgroup of a task, that of its containers' parents."""

    async def create(self, task: TaskSpec) -> None:
        """Make it with the task's limits, or find it. Raises OSError."""

    async def remove(self, task: str) -> None:
        """Take it away with all below it. Idempotent."""

    def tasks(self) -> set[str]:
        """The ids of the tasks that have one."""

    def container_path(self, task: str, container: str) -> str:
        """Where the runtime puts a container's cgroup."""

    def counters(self, task: str, container: str | None = None) -> GroupCounters | None:
        """What was counted of a task or of one of its containers; None if it is gone."""

    def oom_kills(self, task: str, container: str | None = None) -> int:
        """How many processes of the group itself were killed for want of memory."""


class Launcher(Protocol):
    """Makes a container ready for its first instruction."""

    async def create(self, request: LaunchRequest, phase: PhaseTimer) -> Container:
        """Root file system, configuration, runtime. Raises RuntimeFailure, OSError."""

    async def hold_processes(self, bundle: Bundle, network_namespace: Path) -> Container:
        """A created container that does nothing but to hold a process namespace. Raises RuntimeFailure, OSError."""

    async def create_again(self, bundle: Bundle, process_namespace: Path | None) -> Container:
        """
        The same container once more, after its removal: its root file system and its configuration as they are.

        Raises RuntimeFailure, OSError.
        """


class OutputReader(Protocol):
    """Follows what a container writes, until told that it has ended."""

    def follow(
        self, path: Path, source: str, target: LogTarget | ForwardTarget | None, outlet: Outlet, origin: Origin
    ) -> AbstractAsyncContextManager[Tally]:
        """
        Entered: lines flow to the target. Left: all that was written before has reached it.

        Without a target the output is dropped. outlet: who writes it, and can be held up. origin: what receivers are
        told of the container. Raises LogTargetMissing.
        """


class Recorder(Protocol):
    """Black boxes: see `recorder`."""

    async def look(self, task: str, at: float, measured: Measured, traces: Sequence[ContainerTraces]) -> BlackBox:
        """What there is to say of a task now."""

    async def keep(self, task: str, at: float, measured: Measured, traces: Sequence[ContainerTraces]) -> None:
        """The same, at its end, for as long as it can be asked about."""

    async def read(self, task: str) -> BlackBox | None:
        """What was kept."""

    async def retain(self, tasks: Collection[str]) -> None:
        """Drop what was kept of all other tasks."""


PhaseTimer = Callable[[str], AbstractAsyncContextManager[None]]
"""Times a piece of a launch for the timeline."""


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a container is made from."""

    task: TaskSpec
    container: ContainerSpec
    """With its environment whole."""
    image: Image
    bundle: Bundle
    network_namespace: Path
    process_namespace: Path | None = None
    """Of the task, where its containers share one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The node's tools."""

    runtime: Runtime
    images: Images
    network: Network
    cgroups: TaskCgroups
    volumes: Volumes
    launcher: Launcher
    environment: EnvironmentSource
    output: OutputReader
    sink: LogSink
    recorder: Recorder
    now: Callable[[], float]
    """Seconds since the epoch."""
    boot: str = field(default_factory=boot_id)
    """Tells this start of the host from others."""
    secrets: SecretSource = field(default_factory=NoSecrets)
    """For what is not environment: logins of registries, options of log drivers."""
