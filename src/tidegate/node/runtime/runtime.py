"""
The contract of a runtime: what starts, supervises and ends one container.

    create -> start -> wait -> remove
    recover (after a crash of ours) gives back what `create` gave, at whatever point the container is by then

The supervisor of a container is a process of its own: it outlives ours, keeps the container's output in a file, and
writes its exit code to a file. `create` and `start` are not idempotent; after a crash `recover` tells what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from tidegate.model.session import ExecRequest, ExecSession

Step = Literal["create", "start", "exec", "remove"]


class RuntimeFailure(Exception):
    """The runtime could not do what was asked.

    step: `create` and `start` become CannotCreateContainerError and CannotStartContainerError.
    """

    def __init__(self, step: Step, message: str) -> None:
        super().__init__(message)
        self.step = step


class RuntimeTimeout(RuntimeFailure):
    """It did not come to an end in time. seconds: how long was waited."""

    def __init__(self, step: Step, message: str, seconds: float) -> None:
        super().__init__(step, message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Bundle:
    """A container to be: where its files are, and its OCI configuration."""

    id: str
    """Unique on this server: `<task id>-<container name>`."""
    directory: Path
    """Exists; holds the rootfs; config.json and the supervisor's files (pid, exit, log) are written here."""
    cgroup: str
    """Path below the cgroup root, e.g. /tidegate-1f2e3d4c/<task id>/<container name>."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended. code: 128 + signal number when a signal ended it."""

    code: int
    oom_killed: bool
    """The kernel killed a process of the container for want of memory, and the container failed."""
    finished_at: float
    supervisor_lost: bool = False
    """The supervisor was killed, so that the container had to be as well; `code` is 137 then."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command in a container came to. code is None when the time limit passed."""

    code: int | None
    output: str


class Container(Protocol):
    """A created container."""

    bundle: Bundle
    pid: int
    """The container's first process, in our pid namespace."""

    async def start(self) -> None:
        """Let the first process run. Raises RuntimeFailure("start")."""

    async def wait(self) -> Exit:
        """
        Return when the container has ended and its exit is on disk. May be called many times, at any time.

        It has ended when its first process has; what that leaves in a shared process namespace is killed.
        """

    def process_namespace(self) -> Path:
        """
        For containers that are to share it: a path in their configurations, good for as long as this object is.

        Raises RuntimeFailure("create") if the first process has ended.
        """

    def kill(self, signal: int) -> None:
        """Signal the first process; a process that is gone is no error."""

    def hold_output(self) -> None:
        """
        Take no more output from the container, which then waits when it writes. Idempotent.

        Once the container has ended this resumes instead: to be called again now and then as long as it is to hold.
        """

    def resume_output(self) -> None:
        """Go on. Idempotent."""

    def limit_output(self, size: int) -> None:
        """Let the output file grow to `size` bytes: what is written beyond is lost. Without effect where it can't."""

    def output_limit(self) -> int | None:
        """The limit that is set, in bytes; None: there is none."""

    async def exec(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout_seconds: float
    ) -> ExecResult:
        """Run a command inside, and end it when the limit passes; output is bounded (stdout and stderr together)."""

    async def attach_exec(self, request: ExecRequest) -> ExecSession:
        """
        Run a command inside for somebody who talks to it. Raises SessionFailure.

        It ends with the container, and with our process: what is left of it then is ended by `recover`.
        """

    def open_root(self) -> int:
        """A descriptor (O_PATH) of its root directory as it sees it, mounts included. Raises SessionFailure."""

    async def remove(self) -> None:
        """Kill whatever is left, free the runtime's state and the container's cgroup. Idempotent."""


Found = tuple[Container, Literal["created", "started"]]
"""A container that an earlier process of ours made, and how far it is."""


class Runtime(Protocol):
    """Implementations: conmon with crun or runc; a fake for tests of the node."""

    name: str

    async def create(self, bundle: Bundle, config: Mapping[str, Any]) -> Container:
        """
        Write config.json, and prepare the container up to its first instruction. Raises RuntimeFailure("create").

        On failure nothing is left behind but the bundle's directory.
        """

    async def recover(self, bundle: Bundle) -> Found | None:
        """
        Find a container that an earlier process of ours made; None if there is none that can be used.

        A half-made one is removed (supervisor, runtime state, cgroup) and None is returned. One that has ended
        since is `started`: its `wait` returns at once.
        """

    def forget(self, bundle: Bundle) -> None:
        """
        Delete the configuration of a container that is gone for good: its environment may hold secrets. Idempotent.

        Until then `create` may be called again with what is in the bundle's config.json.
        """
