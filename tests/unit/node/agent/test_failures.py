"""Steps that fail around a task: what can be tried again is, and what a task is told to have died of stays true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from fakes.node import World
from fakes.specs import task_spec
from fixtures.agents import agent, is_, until
from tidegate.kernel import failpoint
from tidegate.model.spec import ContainerSpec, HealthCheck, LogTarget
from tidegate.model.status import LastStatus
from tidegate.node.agent.journal import StopRequest
from tidegate.node.network.network import NetworkFailure

pytestmark = pytest.mark.anyio

STOP = StopRequest("because", "UserInitiated")
APP = ContainerSpec(name="app", image="sim/run", stop_timeout_seconds=30)


@pytest.fixture
def points(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "points"
    failpoint.arm(path)
    yield path
    failpoint.arm(None)


async def test_cleaning_up_is_tried_again(tmp_path: Path):
    """A task is STOPPED when nothing of it is left and no earlier; what it died of is not what was in the way."""
    world = World()
    task = task_spec(APP)
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.RUNNING))
        world.unmount_failures = 4
        node.stop(task.id, STOP)
        await until(node, task, is_(LastStatus.DEPROVISIONING))
        await anyio.sleep(1)
        assert node.observations()[0].last_status is LastStatus.DEPROVISIONING
        last = await until(node, task, is_(LastStatus.STOPPED))
        assert world.is_empty()

    assert (last.stop_code, last.stopped_reason, world.unmount_failures) == ("UserInitiated", "because", 0)


async def test_a_log_store_that_fails_when_we_come_back(tmp_path: Path):
    """A container that runs does not die of a log store that can't be asked just then."""
    world = World()
    task = task_spec(ContainerSpec(name="app", image="sim/run", log=LogTarget(group="/g", stream="s")))
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await until(node, task, is_(LastStatus.RUNNING))
        world.sink_failure = OSError("the disk is full")
        async with agent(world, tmp_path) as node:
            await anyio.sleep(10)
            (now,) = node.observations()
            assert now.last_status is LastStatus.RUNNING
            node.stop(task.id, STOP)
            await until(node, task, is_(LastStatus.STOPPED))


async def test_a_network_that_is_gone_when_we_come_back(tmp_path: Path):
    """A task that ran and can't go on says so as what it is: it did start."""
    world = World()
    task = task_spec(APP)
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await until(node, task, is_(LastStatus.RUNNING))
        world.network_failure = NetworkFailure("its namespace is gone")
        async with agent(world, tmp_path) as node:
            last = await until(node, task, is_(LastStatus.STOPPED))
            assert world.is_empty()

    assert last.stop_code == "InfrastructureHealth"
    assert last.stopped_reason == "ResourceInitializationError: its namespace is gone"


async def test_forgetting_is_tried_again(tmp_path: Path, points: Path):
    """A journal that can't be removed now is removed later, and is not begun again meanwhile."""
    points.write_text("journal.retire = 3*error(busy)")
    world = World()
    task = task_spec(APP)
    async with world.running(), agent(world, tmp_path / "node") as node:
        node.submit(task)
        node.stop(task.id, STOP)
        await until(node, task, is_(LastStatus.STOPPED))
        node.forget(task.id)
        assert node.observations() == []
        assert list((tmp_path / "node" / "tasks").iterdir()) != []
        await anyio.sleep(60)

    assert list((tmp_path / "node" / "tasks").iterdir()) == []


async def test_signal_that_can_not_be_sent_at_first(tmp_path: Path):
    """The stop signal is sent again, long before the container's time is up."""
    world = World()
    task = task_spec(APP)
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.RUNNING))
        world.kill_failure = OSError("not now")
        node.stop(task.id, STOP)
        await anyio.sleep(2.5)
        world.kill_failure = None
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.containers[0].exit_code == 143
    assert last.stopped_at is not None
    assert last.stopping_at is not None
    assert last.stopped_at - last.stopping_at < 5


async def test_check_that_can_not_be_run(tmp_path: Path):
    """A health check that the runtime can't run has failed, as in docker; the task goes on."""
    world = World()
    check = HealthCheck(command=("true",), interval_seconds=10, retries=2)

    def refuse(_: str) -> bool:
        raise OSError("no room for a process")

    world.health = refuse
    task = task_spec(ContainerSpec(name="app", image="sim/run", health_check=check))
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        now = await until(node, task, lambda o: o.containers[0].health == "UNHEALTHY")
        assert now.last_status is LastStatus.RUNNING
        world.health = lambda _: True
        await until(node, task, lambda o: o.containers[0].health == "HEALTHY")


async def test_health_that_is_known_stays(tmp_path: Path):
    """After a restart of ours a HEALTHY container is HEALTHY still, until as many checks as ever have failed."""
    world = World()
    check = HealthCheck(command=("true",), interval_seconds=10, retries=2, start_period_seconds=300)
    task = task_spec(ContainerSpec(name="app", image="sim/run", health_check=check))
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await until(node, task, lambda o: o.containers[0].health == "HEALTHY")
        world.health = lambda _: False
        async with agent(world, tmp_path) as node:
            (found,) = node.observations()
            assert found.containers[0].health == "HEALTHY"
            began = anyio.current_time()
            await until(node, task, lambda o: o.containers[0].health == "UNHEALTHY")

    assert 9 < anyio.current_time() - began < 21, "its start period has been over since its first success"
