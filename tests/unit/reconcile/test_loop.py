"""The control plane whole, on simulated nodes and virtual time: services, store, reconciler, placement, engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec
import pytest

from fakes.identity import task_roles
from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.engine.sim import SimEngine
from tidegate.model.account import Subnet
from tidegate.model.status import Node
from tidegate.model.task import Task
from tidegate.reconcile.loop import TaskLoop
from tidegate.reconcile.rules import DEFAULT_RETENTION_SECONDS
from tidegate.services.account import ensure_account
from tidegate.services.ecs.service import Ecs
from tidegate.store.memory import MemoryStore
from tidegate.store.store import Put

pytestmark = pytest.mark.anyio

CTX = Context("000000000000", "us-east-1", "r", "arn:aws:iam::000000000000:root")
NODE = Node(
    id="n1",
    availability_zone="",
    architecture="x86_64",
    total_cpu_units=2048,
    total_memory_mib=4096,
    free_cpu_units=2048,
    free_memory_mib=4096,
)


def decode(kind: type[Any], **members: Any) -> Any:
    return msgspec.convert(members, kind)


@dataclass
class House:
    """A control plane over a simulation."""

    store: MemoryStore
    engine: SimEngine
    ecs: Ecs

    async def register(self, image: str, **members: Any) -> str:
        request = decode(
            ecs.RegisterTaskDefinitionRequest,
            family="app",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            **{"cpu": "256", "memory": "512", **members},
            containerDefinitions=[{"name": "app", "image": image, "stopTimeout": 5}],
        )
        answer = await self.ecs.register_task_definition(CTX, request)
        assert answer.task_definition is not None
        return answer.task_definition.task_definition_arn or ""

    async def run(self, definition: str, count: int = 1) -> list[str]:
        subnets = [subnet.id for subnet in self.store.select(Subnet)]
        request = decode(
            ecs.RunTaskRequest,
            taskDefinition=definition,
            launchType="FARGATE",
            count=count,
            networkConfiguration={"awsvpcConfiguration": {"subnets": subnets[:1]}},
        )
        answer = await self.ecs.run_task(CTX, request)
        assert answer.failures == ()
        return [(task.task_arn or "").rpartition("/")[2] for task in answer.tasks or ()]

    async def describe(self, task: str) -> ecs.Task:
        answer = await self.ecs.describe_tasks(CTX, decode(ecs.DescribeTasksRequest, tasks=[task]))
        (found,) = answer.tasks or ()
        return found

    async def until(self, task: str, condition: Callable[[ecs.Task], bool]) -> ecs.Task:
        with anyio.fail_after(600):
            while True:
                found = await self.describe(task)
                if condition(found):
                    return found
                await anyio.sleep(0.05)

    async def stop(self, task: str) -> None:
        await self.ecs.stop_task(CTX, decode(ecs.StopTaskRequest, task=task))


def status(*wanted: str) -> Callable[[ecs.Task], bool]:
    return lambda task: task.last_status in wanted


@asynccontextmanager
async def house(
    store: MemoryStore | None = None,
    node: Node = NODE,
    cidr: str = "10.64.0.0/16",
    keep_seconds: float = DEFAULT_RETENTION_SECONDS,
) -> AsyncIterator[House]:
    """A house whose reconciler runs; leaving the block ends the reconciler and the nodes, and keeps the store."""
    store = store or MemoryStore()
    engine = SimEngine([node])
    await ensure_account(store, CTX.account, CTX.region, cidr, anyio.current_time)
    async with engine.open(), anyio.create_task_group() as group:
        loop = TaskLoop(store, engine, CTX.account, CTX.region, anyio.current_time, keep_seconds)
        group.start_soon(loop.run)
        yield House(store, engine, Ecs(store, anyio.current_time, task_roles(store, anyio.current_time)))
        group.cancel_scope.cancel()


async def test_a_task_runs_and_stops():
    """RunTask, RUNNING with an address, StopTask, STOPPED; the engine has forgotten it."""
    async with house() as h:
        (task,) = await h.run(await h.register("sim/run"))
        running = await h.until(task, status("RUNNING"))
        details = {d.name: d.value for a in running.attachments or () for d in a.details or ()}
        assert details["privateIPv4Address"] == "10.64.0.4"

        await h.stop(task)
        stopped = await h.until(task, status("STOPPED"))

        assert (stopped.stop_code, stopped.stopped_reason) == ("UserInitiated", "Task stopped by user")
        assert [c.exit_code for c in stopped.containers or ()] == [143]
        assert h.engine.snapshot() == []


@pytest.mark.parametrize("keep_seconds", [3600.0, 7200.0], ids=["an-hour", "two-hours"])
async def test_stopped_tasks_are_kept(keep_seconds: float):
    """A task is shown until the time is up since it stopped, and is MISSING soon after."""
    async with house(keep_seconds=keep_seconds) as h:
        (task,) = await h.run(await h.register("sim/exit:0"))
        stopped = await h.until(task, status("STOPPED"))
        assert stopped.stopped_at is not None
        await anyio.sleep_until(stopped.stopped_at + keep_seconds - 1)
        assert (await h.describe(task)).last_status == "STOPPED"
        await anyio.sleep_until(stopped.stopped_at + keep_seconds + 60)
        answer = await h.ecs.describe_tasks(CTX, decode(ecs.DescribeTasksRequest, tasks=[task]))

    assert [failure.reason for failure in answer.failures or ()] == ["MISSING"]
    assert h.store.select(Task) == []


async def test_what_does_not_fit_waits():
    """Four tasks fit; the fifth waits PROVISIONING with the reason, and runs when one of them has ended."""
    async with house() as h:
        definition = await h.register("sim/run", cpu="512", memory="1024")
        tasks = await h.run(definition, count=5)
        await anyio.sleep(5)
        states = {t: (await h.describe(t)).last_status for t in tasks}
        (waiting,) = [t for t, s in states.items() if s == "PROVISIONING"]
        record = h.store.get(Task, waiting)
        assert record is not None
        assert "n1: RESOURCE:MEMORY" in record.status.waiting_reason

        await h.stop(next(t for t in tasks if t != waiting))
        await h.until(waiting, status("RUNNING"))


async def test_what_can_never_fit_fails():
    """A task that is larger than every node ends at once, with the reason for each."""
    async with house() as h:
        (task,) = await h.run(await h.register("sim/run", cpu="1024", memory="8192"))
        stopped = await h.until(task, status("STOPPED"))

    assert stopped.stop_code == "TaskFailedToStart"
    assert (stopped.stopped_reason or "").startswith("Capacity is unavailable at this time. Please try again later")
    assert "n1: RESOURCE:MEMORY (needs 8192 MiB, it has 4096 in all)" in (stopped.stopped_reason or "")


async def test_a_waiting_task_can_be_stopped():
    """A task that waits for room is stopped without ever having had a node."""
    async with house(node=msgspec.structs.replace(NODE, schedulable=False, reason="resting")) as h:
        (task,) = await h.run(await h.register("sim/run"))
        await anyio.sleep(1)
        await h.stop(task)
        stopped = await h.until(task, status("STOPPED"))

    assert (stopped.stop_code, stopped.started_at) == ("UserInitiated", None)


async def test_failed_pull():
    """A missing image ends the task with the pull's reason."""
    async with house() as h:
        (task,) = await h.run(await h.register("sim/missing"))
        stopped = await h.until(task, status("STOPPED"))

    assert stopped.stop_code == "TaskFailedToStart"
    assert (stopped.stopped_reason or "").startswith("CannotPullContainerError: ")


async def test_the_machine_was_switched_off():
    """Tasks that ran when the nodes were lost end with that reason; those that had not begun are run."""
    store = MemoryStore()
    async with house(store) as h:
        (ran,) = await h.run(await h.register("sim/run"))
        await h.until(ran, status("RUNNING"))
        (begun,) = await h.run(await h.register("sim/run"))
    async with house(store) as h:
        lost = await h.until(ran, status("STOPPED"))
        await h.until(begun, status("RUNNING"))

    assert lost.stop_code == "InfrastructureHealth"
    assert "lost" in (lost.stopped_reason or "")


async def test_a_full_disk_loses_nothing():
    """While the store can't write, nothing new is accepted and what runs runs; afterwards all states are caught up."""
    async with house() as h:
        definition = await h.register("sim/exit:7-after-10")
        (task,) = await h.run(definition)
        await h.until(task, status("RUNNING"))
        h.store.failure = "no space left"
        with pytest.raises(ecs.ServerException, match="no space left"):
            await h.run(definition)
        await anyio.sleep(30)
        assert (await h.describe(task)).last_status == "RUNNING", "what is not durable is not shown"
        h.store.failure = None
        stopped = await h.until(task, status("STOPPED"))

    assert [c.exit_code for c in stopped.containers or ()] == [7]


async def test_addresses_run_out():
    """A subnet without a free address ends the task with EC2's reason; the address of an ended task is used again."""
    async with house(
        node=msgspec.structs.replace(NODE, free_memory_mib=10**6, free_cpu_units=10**6, total_memory_mib=10**6)
    ) as h:
        (subnet, *_) = h.store.select(Subnet)
        await h.store.commit(Put(msgspec.structs.replace(subnet, cidr="10.64.0.0/29")))
        definition = await h.register("sim/run")
        tasks = await h.run(definition, count=4)
        states = [await h.until(t, status("RUNNING", "STOPPED")) for t in tasks]
        (failed,) = [t for t in states if t.last_status == "STOPPED"]
        assert "InsufficientFreeAddressesInSubnet" in (failed.stopped_reason or "")

        running = next(t for t in states if t.last_status == "RUNNING")
        await h.stop(running.task_arn or "")
        await h.until(running.task_arn or "", status("STOPPED"))
        (again,) = await h.run(definition)
        await h.until(again, status("RUNNING"))


async def test_stopped_tasks_are_kept_for_an_hour():
    """A stopped task is described for an hour, then it is MISSING."""
    async with house() as h:
        (task,) = await h.run(await h.register("sim/exit:0"))
        await h.until(task, status("STOPPED"))
        await anyio.sleep(3590)
        assert (await h.describe(task)).last_status == "STOPPED"
        await anyio.sleep(60)
        answer = await h.ecs.describe_tasks(CTX, decode(ecs.DescribeTasksRequest, tasks=[task]))

    assert [f.reason for f in answer.failures or ()] == ["MISSING"]


async def test_security_groups_reach_the_engine():
    """The engine has the rules of every group of the account."""
    async with house() as h:
        await anyio.sleep(1)
        (rules,) = h.engine.security_groups.values()

    assert [rule.group for rule in rules.ingress] == [rules.id]


class MoodyEngine(SimEngine):
    """An engine that refuses for a while."""

    def __init__(self) -> None:
        super().__init__([NODE])
        self.refusals = {"groups": 0, "stop": 0}

    async def apply_security_groups(self, groups: Any) -> None:
        self._refuse("groups")
        await super().apply_security_groups(groups)

    async def stop(self, task: str, reason: str, code: Any = "UserInitiated") -> None:
        self._refuse("stop")
        await super().stop(task, reason, code)

    def _refuse(self, what: str) -> None:
        if self.refusals[what]:
            self.refusals[what] -= 1
            raise OSError(f"cannot do {what} now")


@pytest.mark.parametrize("what", ["groups", "stop"])
async def test_an_engine_that_fails_is_asked_again(what: str):
    """A call that fails is made again, and what was to be done after it is not forgotten."""
    store, engine = MemoryStore(), MoodyEngine()
    await ensure_account(store, CTX.account, CTX.region, "10.64.0.0/16", anyio.current_time)
    engine.refusals[what] = 3
    async with engine.open(), anyio.create_task_group() as group:
        group.start_soon(TaskLoop(store, engine, CTX.account, CTX.region, anyio.current_time).run)
        h = House(store, engine, Ecs(store, anyio.current_time, task_roles(store, anyio.current_time)))
        tasks = await h.run(await h.register("sim/run"), count=3)
        for task in tasks:
            await h.until(task, status("RUNNING"))
        for task in tasks:
            await h.stop(task)
        for task in tasks:
            await h.until(task, status("STOPPED"))
        await anyio.sleep(5)
        assert engine.refusals[what] == 0
        group.cancel_scope.cancel()
