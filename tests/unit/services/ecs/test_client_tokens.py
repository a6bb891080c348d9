"""RunTask's idempotency."""

from __future__ import annotations

import anyio
import pytest

from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.status import LastStatus
from tidegate.model.task import Task
from tidegate.store.store import Delete

pytestmark = pytest.mark.anyio


async def test_token_replays(services: Services) -> None:
    """The same request with the same token starts nothing and shows the same tasks."""
    first = await services.run(clientToken="t", count=2)
    assert await services.run(clientToken="t", count=2) == first
    assert len(list(services.store.select(Task))) == 2


async def test_token_of_another_request(services: Services) -> None:
    """A token that was used for something else is a conflict, which names the tasks it stands for."""
    (task,) = await services.run(clientToken="t")
    with pytest.raises(ecs.ConflictException) as caught:
        await services.run(clientToken="t", count=2)
    assert caught.value.members == {"resourceIds": (task.task_arn,)}


async def test_token_belongs_to_a_cluster(services: Services) -> None:
    """The same token in another cluster is another token."""
    await services.ecs.create_cluster(services.ctx, ecs.CreateClusterRequest(cluster_name="c"))
    (one,) = await services.run(clientToken="t")
    (other,) = await services.run(clientToken="t", cluster="c")
    assert one.task_arn != other.task_arn


async def test_token_outlives_the_definition(services: Services) -> None:
    """A replay answers even if the request could not be made any more."""
    first = await services.run(clientToken="t", definition="app:1")
    await services.ecs.deregister_task_definition(
        services.ctx, ecs.DeregisterTaskDefinitionRequest(task_definition="app:1")
    )
    assert await services.run(clientToken="t", definition="app:1") == first


async def test_replay_of_stopped_task(services: Services) -> None:
    """A task that has stopped since is shown by its ARN and statuses only."""
    task = await services.run_one(clientToken="t")
    await services.put_status(task, last_status=LastStatus.STOPPED, desired_status="STOPPED", stopped_at=services.time)
    (shown,) = await services.run(clientToken="t")
    assert shown == ecs.Task(task_arn=shown.task_arn, last_status="STOPPED", desired_status="STOPPED")


@pytest.mark.parametrize(("seconds", "expected"), [(3599, 1), (3601, 2)])
async def test_token_expires_an_hour_after_the_end(services: Services, seconds: float, expected: int) -> None:
    """An hour after its last task stopped, a token starts new tasks again."""
    task = await services.run_one(clientToken="t")
    await services.put_status(task, last_status=LastStatus.STOPPED, desired_status="STOPPED", stopped_at=services.time)
    services.time += seconds
    await services.run(clientToken="t")
    assert len(list(services.store.select(Task))) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(86399, 1), (86401, 2)])
async def test_token_expires_after_a_day(services: Services, seconds: float, expected: int) -> None:
    """A token lives for a day at most, even if its tasks run on."""
    await services.run(clientToken="t")
    services.time += seconds
    await services.run(clientToken="t")
    assert len(list(services.store.select(Task))) == expected


async def test_token_outlives_no_record_of_its_tasks(services: Services) -> None:
    """When none of its tasks is known any more, a token starts new ones."""
    task = await services.run_one(clientToken="t")
    await services.store.commit(Delete(task))
    (again,) = await services.run(clientToken="t")
    assert services.record(again).id != task.id


async def test_replay_waits_for_the_first_request(services: Services) -> None:
    """A repeated request is not answered from what may still fail to be written."""
    services.store.failure = "disk full"
    outcomes = []

    async def call() -> None:
        with pytest.raises(ecs.ServerException):
            await services.run(clientToken="t")
        outcomes.append("refused")

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        group.start_soon(call)
    assert outcomes == ["refused", "refused"]
    assert list(services.store.select(Task)) == []
