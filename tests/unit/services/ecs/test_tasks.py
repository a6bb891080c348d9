"""StopTask, DescribeTasks, ListTasks."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.status import LastStatus
from tidegate.model.task import Task

pytestmark = pytest.mark.anyio

UNKNOWN = "0" * 32


async def stop(services: Services, task: str, **members: Any) -> ecs.Task:
    answer = await services.ecs.stop_task(services.ctx, ecs.StopTaskRequest(task=task, **members))
    assert answer.task is not None
    return answer.task


async def describe(services: Services, *tasks: str, **members: Any) -> ecs.DescribeTasksResponse:
    return await services.ecs.describe_tasks(services.ctx, ecs.DescribeTasksRequest(tasks=tasks, **members))


async def listed(services: Services, **members: Any) -> list[str]:
    """The ids of the tasks that ListTasks gives for these members on the wire."""
    answer = await services.ecs.list_tasks(services.ctx, msgspec.convert(members, ecs.ListTasksRequest))
    return [arn.rpartition("/")[2] for arn in answer.task_arns or ()]


async def test_stop(services: Services) -> None:
    """StopTask makes STOPPED what should be, says who and why, and leaves what is to the engine."""
    task = await services.run_one()
    await services.put_status(task, last_status=LastStatus.RUNNING)
    services.time += 5
    shown = await stop(services, task.id, reason="enough")
    assert (shown.desired_status, shown.last_status) == ("STOPPED", "RUNNING")
    assert (shown.stop_code, shown.stopped_reason) == ("UserInitiated", "enough")
    assert (shown.stopping_at, shown.stopped_at, shown.version) == (services.time, None, 2)


async def test_stop_without_a_reason(services: Services) -> None:
    """The reason is AWS's if the caller gives none."""
    task = await services.run_one()
    assert (await stop(services, task.id)).stopped_reason == "Task stopped by user"


async def test_stop_again(services: Services) -> None:
    """Stopping once more changes nothing, before and after the task has stopped."""
    task = await services.run_one()
    first = await stop(services, task.id, reason="first")
    services.time += 1
    assert await stop(services, task.id, reason="second") == first
    await services.put_status(task, last_status=LastStatus.STOPPED, stopped_at=services.time)
    again = await stop(services, task.id, reason="third")
    assert (again.last_status, again.stopped_reason) == ("STOPPED", "first")


async def test_stop_is_durable(services: Services) -> None:
    """If the stop can't be written the caller is told, and the task is to run on."""
    task = await services.run_one()
    services.store.failure = "disk full"
    with pytest.raises(ecs.ServerException, match="disk full"):
        await stop(services, task.id)
    assert services.store.get(Task, task.id) == task


async def test_second_stop_waits_for_the_first(services: Services) -> None:
    """A second caller is not told that the task stops while the first one's write may still fail."""
    task = await services.run_one()
    services.store.failure = "disk full"
    outcomes = []

    async def call() -> None:
        with pytest.raises(ecs.ServerException):
            await stop(services, task.id)
        outcomes.append("refused")

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        group.start_soon(call)
    assert outcomes == ["refused", "refused"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (UNKNOWN, "The referenced task was not found."),
        ("short", "taskId length should be one of [32,36]"),
        ("a/b/c", "Invalid identifier: Unexpected number of separators"),
        (
            f"arn:aws:ecs:eu-north-1:123456789012:task/other/{UNKNOWN}",
            "Invalid identifier: Identifier is for cluster other. Your cluster is default",
        ),
    ],
)
async def test_stop_refused(services: Services, task: str, message: str) -> None:
    """What names no task of the cluster is refused with AWS's texts."""
    await services.run()
    with pytest.raises(ecs.InvalidParameterException) as caught:
        await stop(services, task)
    assert caught.value.message == message


async def test_no_cluster(services: Services) -> None:
    """Every task operation needs its cluster; until its first use there is no `default` either."""
    for call in (stop(services, UNKNOWN), describe(services, UNKNOWN), listed(services)):
        with pytest.raises(ecs.ClusterNotFoundException, match=r"^Cluster not found\.$"):
            await call


async def test_describe_by_id_and_arn(services: Services) -> None:
    """Ids and ARNs name the same task; it is shown once, however often it is named."""
    (task,) = await services.run()
    arn = task.task_arn or ""
    answer = await describe(services, arn, arn.rpartition("/")[2])
    assert answer.tasks == (msgspec.structs.replace(task, tags=()),)
    assert answer.failures == ()


async def test_describe_unknown(services: Services) -> None:
    """An id that names nothing is a failure of its own, with the ARN that it would have."""
    task = await services.run_one()
    answer = await describe(services, task.id, UNKNOWN)
    assert [shown.task_arn for shown in answer.tasks or ()] == [
        f"arn:aws:ecs:eu-north-1:123456789012:task/default/{task.id}"
    ]
    assert answer.failures == (
        ecs.Failure(arn=f"arn:aws:ecs:eu-north-1:123456789012:task/default/{UNKNOWN}", reason="MISSING"),
    )


async def test_task_of_another_cluster_is_missing(services: Services) -> None:
    """A task is found in its own cluster only."""
    await services.ecs.create_cluster(services.ctx, ecs.CreateClusterRequest(cluster_name="c"))
    task = await services.run_one(cluster="c")
    await services.run()
    assert [failure.reason for failure in (await describe(services, task.id)).failures or ()] == ["MISSING"]
    assert len((await describe(services, task.id, cluster="c")).tasks or ()) == 1


async def test_describe_limits(services: Services) -> None:
    """1 to 100 tasks."""
    await services.run()
    with pytest.raises(ecs.InvalidParameterException, match=r"^Tasks cannot be empty\.$"):
        await describe(services)
    with pytest.raises(ecs.InvalidParameterException, match="at most 100"):
        await describe(services, *(f"{n:032x}" for n in range(101)))


async def test_describe_tags(services: Services) -> None:
    """Tags are shown if they are asked for."""
    task = await services.run_one(tags=[{"key": "a", "value": "1"}])
    assert [shown.tags for shown in (await describe(services, task.id)).tasks or ()] == [()]
    answer = await describe(services, task.id, include=("TAGS",))
    assert [shown.tags for shown in answer.tasks or ()] == [(ecs.Tag(key="a", value="1"),)]


async def test_stopped_task_stays_visible(services: Services) -> None:
    """A task that has stopped is described as long as its record is kept."""
    task = await services.run_one()
    await services.put_status(task, last_status=LastStatus.STOPPED, desired_status="STOPPED")
    assert [shown.last_status for shown in (await describe(services, task.id)).tasks or ()] == ["STOPPED"]


async def test_list_filters(services: Services) -> None:
    """Tasks by what should be of them, by family, and by who started them."""
    await services.register(family="other")
    running = await services.run_one(startedBy="me")
    services.time += 1
    other = await services.run_one("other", startedBy="you")
    stopped = await services.run_one()
    await stop(services, stopped.id)
    assert await listed(services) == [running.id, other.id]
    assert await listed(services, desiredStatus="RUNNING") == [running.id, other.id]
    assert await listed(services, desiredStatus="STOPPED") == [stopped.id]
    assert await listed(services, desiredStatus="PENDING") == []
    assert await listed(services, family="other") == [other.id]
    assert await listed(services, startedBy="me") == [running.id]
    assert await listed(services, launchType="FARGATE") == [running.id, other.id]
    assert await listed(services, launchType="EC2") == []


async def test_list_is_by_cluster(services: Services) -> None:
    """A list shows one cluster's tasks."""
    await services.ecs.create_cluster(services.ctx, ecs.CreateClusterRequest(cluster_name="c"))
    task = await services.run_one(cluster="c")
    await services.run()
    assert await listed(services, cluster="c") == [task.id]


@pytest.mark.parametrize(
    ("members", "kind", "message"),
    [
        (
            {"startedBy": "me", "family": "app"},
            ecs.InvalidParameterException,
            "startedBy must be the only filter that you use.",
        ),
        ({"serviceName": "web"}, ecs.ServiceNotFoundException, "Service not found."),
        (
            {"containerInstance": "i"},
            ecs.InvalidParameterException,
            "The referenced container instance was not found.",
        ),
        (
            {"daemonName": "d"},
            ecs.InvalidParameterException,
            "cannot list the tasks of a daemon: daemons are not supported yet",
        ),
        ({"maxResults": 0}, ecs.InvalidParameterException, "maxResults must be between 1 and 100."),
        ({"maxResults": 101}, ecs.InvalidParameterException, "maxResults must be between 1 and 100."),
        ({"nextToken": "nonsense"}, ecs.InvalidParameterException, "Invalid token."),
        ({"nextToken": "TGlzdENsdXN0ZXJzCmE="}, ecs.InvalidParameterException, "Invalid token."),
    ],
)
async def test_list_refused(services: Services, members: dict[str, Any], kind: Any, message: str) -> None:
    """Filters that can't go together, that name nothing, and tokens of elsewhere are refused."""
    await services.run()
    with pytest.raises(kind) as caught:
        await listed(services, **members)
    assert caught.value.message == message
