"""The services over a store in memory: an account with its network, and short ways to make things in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import msgspec

from fakes.definitions import CTX, container, fargate
from fakes.identity import task_roles
from tidegate.api import ecs
from tidegate.model.account import SecurityGroup, Subnet, Vpc
from tidegate.model.status import Interface, LastStatus
from tidegate.model.task import Task
from tidegate.services.account import ensure_account
from tidegate.services.ec2.service import Ec2
from tidegate.services.ecs.service import Ecs
from tidegate.store.memory import MemoryStore
from tidegate.store.store import Put

T = TypeVar("T")

TASK_ROLE = "arn:aws:iam::123456789012:role/task"


class Services:
    """`time` is now, in seconds since the epoch; set it to let time pass. `ctx` is who asks."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.ctx = CTX
        self.time = 1_700_000_000.0
        self.ecs = Ecs(self.store, self.now, task_roles(self.store, self.now))
        self.ec2 = Ec2(self.store, self.now)

    def now(self) -> float:
        return self.time

    async def open(self) -> Services:
        """With the account's default network."""
        await ensure_account(self.store, self.ctx.account, self.ctx.region, "10.64.0.0/16", self.now)
        return self

    @property
    def vpc(self) -> Vpc:
        return next(iter(self.store.select(Vpc)))

    @property
    def subnets(self) -> list[str]:
        return [subnet.id for subnet in self.store.select(Subnet)]

    @property
    def default_group(self) -> SecurityGroup:
        return next(group for group in self.store.select(SecurityGroup) if group.name == "default")

    def network(self, **members: Any) -> dict[str, Any]:
        """A networkConfiguration in the first default subnet."""
        return {"awsvpcConfiguration": {"subnets": self.subnets[:1], **members}}

    async def register(self, *containers: dict[str, Any], **members: Any) -> str:
        """Register a Fargate definition; its `family:revision`."""
        answer = await self.ecs.register_task_definition(self.ctx, fargate(*(containers or (container(),)), **members))
        assert answer.task_definition is not None
        return f"{answer.task_definition.family}:{answer.task_definition.revision}"

    def run_request(self, definition: str = "app", **members: Any) -> ecs.RunTaskRequest:
        """RunTask's request by its members on the wire; None takes one away."""
        given = {
            "taskDefinition": definition,
            "launchType": "FARGATE",
            "networkConfiguration": self.network(),
            **members,
        }
        return msgspec.convert({k: v for k, v in given.items() if v is not None}, ecs.RunTaskRequest)

    async def run(self, definition: str = "app", **members: Any) -> tuple[ecs.Task, ...]:
        """Run tasks; what RunTask shows of them."""
        answer = await self.ecs.run_task(self.ctx, self.run_request(definition, **members))
        return answer.tasks or ()

    async def run_one(self, definition: str = "app", **members: Any) -> Task:
        """Run a task: its record."""
        (task,) = await self.run(definition, **members)
        return self.record(task)

    def record(self, task: ecs.Task) -> Task:
        """The record of a task that the API showed."""
        found = self.store.get(Task, (task.task_arn or "").rpartition("/")[2])
        assert found is not None
        return found

    async def put_status(self, task: Task, **changes: Any) -> Task:
        """Write what the reconciler and the engine would: members of the task's status."""
        current = self.store.get(Task, task.id)
        assert current is not None
        status = msgspec.structs.replace(current.status, **changes)
        await self.store.commit(Put(msgspec.structs.replace(current, status=status)))
        found = self.store.get(Task, task.id)
        assert found is not None
        return found

    async def attach(self, task: Task, address: str = "10.64.0.4") -> Task:
        """Give it an interface and a node, as the reconciler does."""
        return await self.put_status(
            task, last_status=LastStatus.PENDING, node="node-1", interface=self.interface(task, address)
        )

    def interface(self, task: Task, address: str = "10.64.0.4") -> Interface:
        return Interface(
            id=f"eni-{task.id[:17]}",
            attachment=task.attachment,
            subnet=task.subnets[0],
            vpc=self.vpc.id,
            availability_zone="eu-north-1a",
            address=address,
            prefix_length=20,
            gateway="10.64.0.1",
            mac="02:74:0a:40:00:04",
            security_groups=(self.default_group.id,),
        )


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """Run a property's body: hypothesis calls plain functions."""
    return anyio.run(function, backend="trio")
