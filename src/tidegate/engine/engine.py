"""
The contract between those that decide (services, reconcile, placement) and what runs tasks.

All calls are idempotent by task id, and the engine is level-triggered: the truth about what should run is
in the store, the truth about what does run comes from `snapshot` and `watch`.

The life of a task with an engine::

    submit -> observations (PENDING ... STOPPED) -> forget
               stop ----^

A submitted task always comes to STOPPED, whatever happens to the engine's process in between. `stop` before
`submit` leaves nothing to do and is not remembered. `forget` after STOPPED only: until then the engine keeps
the last observation, so that a reader that was away finds it in the next snapshot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from tidegate.model.blackbox import BlackBox
from tidegate.model.session import Connection, CopyReport, ExecRequest, ExecSession, Receive, Send
from tidegate.model.spec import SecurityGroupSpec, TaskSpec
from tidegate.model.status import Node, Observation, StopCode


class Cap(Enum):
    """What an engine can do beyond the least."""

    PLACES = auto()
    """Chooses the node itself; `submit` is called with node=None."""
    VM_ISOLATION = auto()
    EXEC = auto()
    VOLUMES = auto()
    NETWORK_POLICY = auto()


class EngineError(Exception):
    """Base of what the calls below may raise.

    EngineError
     +- NoCapacity       this node can't take the task now
     +- BadSpec          no node of this engine can ever run it
     +- Busy             ask again after `after_seconds`
    """


class NoCapacity(EngineError):
    """The task doesn't fit just now; the message says what is short."""


class BadSpec(EngineError):
    """The task can never run here; the message says why."""


class Busy(EngineError):
    """The engine is starting, stopping or overloaded."""

    def __init__(self, message: str, after_seconds: float) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


@dataclass(frozen=True, slots=True)
class Gap:
    """In a watch: observations were missed; read `snapshot` again."""


class Engine(Protocol):
    """Something that runs tasks. Implementations: `local` (this machine), `sim` (virtual nodes)."""

    caps: frozenset[Cap]

    async def nodes(self) -> Sequence[Node]:
        """The places where tasks can run, with what is free on each now."""

    async def submit(self, spec: TaskSpec, node: str | None) -> None:
        """
        Run `spec` on `node`. Returns once the engine will not lose the task.

        A task that was submitted before is left as it is, whatever the spec says now.
        Raises NoCapacity, BadSpec, Busy.
        """

    async def stop(self, task: str, reason: str, code: StopCode = "UserInitiated") -> None:
        """Stop each container in its own time (stop signal, its stopTimeout, SIGKILL), dependents first."""

    async def forget(self, task: str) -> None:
        """Drop the last observation of a task that is STOPPED; otherwise do nothing."""

    def snapshot(self) -> Sequence[Observation]:
        """The latest observation of every task that was submitted and not forgotten."""

    def watch(self) -> AsyncIterator[Observation | Gap]:
        """Observations from now on, in order for each task; older ones of the same task may be skipped."""

    async def black_box(self, task: str) -> BlackBox | None:
        """
        What is known of a task beside its status: of one that has ended, as it was then; of one that runs, now.

        It is kept when the task is forgotten, until `retain` drops it. None if there is none.
        """

    async def retain(self, tasks: Collection[str]) -> None:
        """Keep the black boxes of these tasks, and drop all others."""

    async def exec(self, task: str, container: str, request: ExecRequest) -> ExecSession:
        """
        Run a command in a running container, for somebody who talks to it.

        Raises SessionFailure; an engine without Cap.EXEC always does.
        """

    async def dial(self, task: str, port: int) -> Connection:
        """
        Connect to a TCP port of a running task from within its network: what listens on its loopback alone, too.

        Raises SessionFailure.
        """

    async def copy_out(self, task: str, container: str, path: str, send: Send) -> CopyReport:
        """
        Send what is at `path` in a running container as a tar stream; the image needs nothing for that.

        Raises SessionFailure; what `send` raises comes through.
        """

    async def copy_in(
        self,
        task: str,
        container: str,
        path: str,
        receive: Receive,
        *,
        into_directory: bool = False,
    ) -> CopyReport:
        """
        Unpack a tar stream into the directory `path`, or, if there is none, as `path`.

        receive: the next piece of the stream, empty at its end. What is read-only for the container can't be written.
        Raises SessionFailure; what `receive` raises comes through.
        """

    async def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        """Make these the rules, all at once; returns when they bind."""
