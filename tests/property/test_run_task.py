"""Properties of RunTask and of the lists: nothing twice, nothing lost, everything can be shown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.definitions import CTX, container
from fakes.services import Services, run_async
from tidegate.api import ecs
from tidegate.model.status import ContainerStatus, Interface, LastStatus, TaskStatus
from tidegate.model.task import Task
from tidegate.services.ecs.task_description import describe_task
from tidegate.services.pages import page

TIMES = st.none() | st.floats(1_600_000_000, 1_800_000_000)
HEALTH = st.sampled_from(["HEALTHY", "UNHEALTHY", "UNKNOWN"])
TEXT = st.text(max_size=20)

CONTAINERS = st.builds(
    ContainerStatus,
    name=st.sampled_from(["web", "side", "stranger"]),
    state=st.sampled_from(["PENDING", "RUNNING", "STOPPED"]),
    runtime_id=TEXT,
    image_digest=TEXT,
    exit_code=st.none() | st.integers(0, 255),
    reason=TEXT,
    health=HEALTH,
    has_health_check=st.booleans(),
)
INTERFACES = st.none() | st.just(
    Interface(
        id="eni-0123456789abcdef0",
        attachment="a",
        subnet="subnet-1",
        vpc="vpc-1",
        availability_zone="eu-north-1a",
        address="10.64.0.4",
        prefix_length=20,
        gateway="10.64.0.1",
        mac="02:74:0a:40:00:04",
    )
)
STATUSES = st.builds(
    TaskStatus,
    last_status=st.sampled_from(LastStatus),
    desired_status=st.sampled_from(["RUNNING", "STOPPED"]),
    version=st.integers(1, 100),
    interface=INTERFACES,
    containers=st.lists(CONTAINERS, max_size=4).map(tuple),
    created_at=st.floats(1_600_000_000, 1_800_000_000),
    connected_at=TIMES,
    pull_started_at=TIMES,
    pull_stopped_at=TIMES,
    started_at=TIMES,
    stopping_at=TIMES,
    execution_stopped_at=TIMES,
    stopped_at=TIMES,
    stop_code=st.none() | st.sampled_from(["UserInitiated", "EssentialContainerExited", "TaskFailedToStart"]),
    stopped_reason=TEXT,
)
DEFINITION = ecs.TaskDefinition(
    container_definitions=(
        ecs.ContainerDefinition(name="web", image="nginx", essential=True),
        ecs.ContainerDefinition(name="side", image="busybox", essential=False),
    ),
    cpu="256",
    memory="512",
)


@given(status=STATUSES, definition=st.sampled_from([DEFINITION, ecs.TaskDefinition()]), subnets=st.integers(0, 3))
def test_describe_is_total(status: TaskStatus, definition: ecs.TaskDefinition, subnets: int) -> None:
    """Whatever a status says, the task can be shown, and the answer passes the service model's own checks."""
    network = ecs.NetworkConfiguration(
        awsvpc_configuration=ecs.AwsVpcConfiguration(subnets=tuple(f"subnet-{n}" for n in range(subnets)))
    )
    task = Task(
        id="1" * 32,
        cluster="c",
        definition="app:1",
        group="g",
        request=ecs.RunTaskRequest(task_definition="app", network_configuration=network),
        container_ids={"web": "u1", "side": "u2"},
        status=status,
    )
    shown = describe_task(CTX, task, definition, with_tags=True)
    assert msgspec.json.decode(msgspec.json.encode(shown), type=ecs.Task) == shown
    assert shown.last_status == status.last_status
    assert [c.name for c in shown.containers or ()] == [c.name for c in definition.container_definitions or ()]


@given(
    items=st.sets(st.text(max_size=8), max_size=30),
    size=st.integers(1, 31),
    coming=st.lists(st.text(max_size=8), max_size=5),
    going=st.lists(st.integers(0, 29), max_size=5),
)
def test_pages(items: set[str], size: int, coming: list[str], going: list[int]) -> None:
    """Whatever comes and goes between two pages, what is there throughout is seen exactly once, in order."""
    present = set(items)
    gone = {sorted(items)[n] for n in going if n < len(items)}
    seen: list[str] = []
    token = None
    while True:
        found, token = page(present, lambda item: item, operation="List", token=token, size=size)
        assert len(found) <= size
        seen += found
        if token is None:
            break
        present = (present | set(coming)) - gone
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen))
    assert items - gone <= set(seen)


@given(count=st.integers(0, 12), size=st.integers(1, 13), same_moment=st.booleans())
@settings(max_examples=25, deadline=None)
def test_list_tasks_pages(count: int, size: int, same_moment: bool) -> None:
    """ListTasks gives each task exactly once, oldest first, under any page size."""

    async def body() -> None:
        services = await Services().open()
        await services.register()
        await services.ecs.create_cluster(CTX, ecs.CreateClusterRequest())
        made = []
        for _ in range(count):
            services.time += 0 if same_moment else 0.001
            made.append((await services.run())[0].task_arn)
        seen: list[str] = []
        token = None
        while True:
            request = ecs.ListTasksRequest(next_token=token, max_results=size)
            answer = await services.ecs.list_tasks(CTX, request)
            seen += answer.task_arns or ()
            token = answer.next_token
            if token is None:
                break
        assert sorted(seen) == sorted(arn or "" for arn in made)
        assert same_moment or seen == made

    run_async(body)


@given(names=st.sets(st.text("ab-", min_size=1, max_size=4), max_size=12), size=st.integers(1, 13))
@settings(max_examples=25, deadline=None)
def test_list_clusters_pages(names: set[str], size: int) -> None:
    """ListClusters gives each cluster exactly once, by name, under any page size."""

    async def body() -> None:
        services = await Services().open()
        for name in names:
            await services.ecs.create_cluster(CTX, ecs.CreateClusterRequest(cluster_name=name))
        seen: list[str] = []
        token = None
        while True:
            request = ecs.ListClustersRequest(next_token=token, max_results=size)
            answer = await services.ecs.list_clusters(CTX, request)
            seen += [arn.rpartition("/")[2] for arn in answer.cluster_arns or ()]
            token = answer.next_token
            if token is None:
                break
        assert seen == sorted(names)

    run_async(body)


REQUESTS = st.fixed_dictionaries(
    {"count": st.integers(1, 3), "clientToken": st.sampled_from(["t", "u"])},
    optional={
        "startedBy": st.sampled_from(["me", "you"]),
        "group": st.just("g"),
        "tags": st.just([{"key": "a", "value": "1"}]),
        "overrides": st.just({"containerOverrides": [{"name": "web", "command": ["x"]}]}),
    },
)


@given(requests=st.lists(REQUESTS, max_size=6))
@settings(max_examples=40, deadline=None)
def test_tokens_are_idempotent(requests: list[dict[str, Any]]) -> None:
    """A token stands for its first request: the same one gets the same tasks, another one a conflict with them."""

    async def body() -> None:
        services = await Services().open()
        await services.register(container())
        first: dict[str, tuple[dict[str, Any], list[str | None]]] = {}
        for request in requests:
            token = request["clientToken"]
            known, tasks = first.setdefault(token, (request, []))
            if known != request:
                with pytest.raises(ecs.ConflictException) as caught:
                    await services.run(**request)
                assert list(caught.value.members["resourceIds"]) == tasks
                continue
            arns = [task.task_arn for task in await services.run(**request)]
            assert len(arns) == request["count"]
            assert arns == (tasks or arns)
            tasks[:] = arns
        assert len(list(services.store.select(Task))) == sum(len(arns) for _, arns in first.values())

    run_async(body)
