"""The engine of this machine: the node's agent behind the engine's contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio

from tidegate.engine.engine import Cap, Gap, NoCapacity
from tidegate.engine.feed import Feed
from tidegate.model.blackbox import BlackBox
from tidegate.model.session import Connection, CopyReport, ExecRequest, ExecSession, Receive, Send
from tidegate.model.spec import SecurityGroupSpec, TaskSpec
from tidegate.model.status import Node, Observation, StopCode
from tidegate.node.agent.agent import Agent
from tidegate.node.agent.capacity import Capacity
from tidegate.node.agent.journal import StopRequest
from tidegate.node.agent.reach import Copier, dial
from tidegate.node.endpoint.facts import TaskFacts
from tidegate.node.network.network import Network


class LocalEngine:
    """One node, this machine. Use inside `open()`; the tasks outlive it."""

    caps = frozenset({Cap.EXEC, Cap.VOLUMES, Cap.NETWORK_POLICY})

    def __init__(
        self, make_agent: Callable[[Callable[[Observation], None]], Agent], network: Network, capacity: Capacity
    ) -> None:
        self._feed = Feed()
        self._agent = make_agent(self._feed.publish)
        self._network = network
        self._capacity = capacity
        self._copier = Copier()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Find the tasks that are there, and run."""
        async with self._agent.open():
            for observation in self._agent.observations():
                self._feed.publish(observation)
            yield

    async def nodes(self) -> Sequence[Node]:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        return [self._capacity.node(self._agent.tasks(), self._agent.starting())]

    async def submit(self, spec: TaskSpec, node: str | None) -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        try:
            self._agent.submit(spec)
        except OSError as error:
            raise NoCapacity(f"cannot keep task {spec.id} on this node: {error}") from error

    async def stop(self, task: str, reason: str, code: StopCode = "UserInitiated") -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        self._agent.stop(task, StopRequest(reason, code))

    async def forget(self, task: str) -> None:
        """See Engine."""
        await anyio.lowlevel.checkpoint()
        self._agent.forget(task)
        if all(observation.task != task for observation in self._agent.observations()):
            self._feed.forget(task)

    def facts_at(self, address: str) -> TaskFacts | None:
        """What the task that has the address may be told of itself."""
        return self._agent.facts_at(address)

    def is_running(self, task: str) -> bool:
        """Whether it is here and has not stopped."""
        return self._agent.is_running(task)

    def snapshot(self) -> Sequence[Observation]:
        """See Engine."""
        return self._feed.snapshot()

    def watch(self) -> AsyncIterator[Observation | Gap]:
        """See Engine."""
        return self._feed.watch()

    async def black_box(self, task: str) -> BlackBox | None:
        """See Engine."""
        return await self._agent.black_box(task)

    async def retain(self, tasks: Collection[str]) -> None:
        """See Engine."""
        await self._agent.retain(tasks)

    async def exec(self, task: str, container: str, request: ExecRequest) -> ExecSession:
        """See Engine."""
        return await self._agent.get_run(task).attach_exec(container, request)

    async def dial(self, task: str, port: int) -> Connection:
        """See Engine."""
        run = self._agent.get_run(task)
        return await dial(run.network, run.spec.network.address, port)

    async def copy_out(self, task: str, container: str, path: str, send: Send) -> CopyReport:
        """See Engine."""
        return await self._copier.copy_out(self._agent.get_run(task).running(container), path, send)

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
        found = self._agent.get_run(task).running(container)
        return await self._copier.copy_in(found, path, receive, into_directory=into_directory)

    async def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        """See Engine."""
        await self._network.apply_security_groups(groups)
