"""ExecuteCommand: who gets a session with what, and where it is logged."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fakes.services import TASK_ROLE, Services
from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.status import ContainerStatus, LastStatus
from tidegate.model.task import Cluster, Task
from tidegate.services.ecs.execute_command import NOT_ENABLED, ExecuteCommand, NoSessions, SessionOrder, log_group

pytestmark = pytest.mark.anyio


class Opened:
    """Sessions that are only noted."""

    def __init__(self) -> None:
        self.orders: list[SessionOrder] = []

    def open(self, ctx: Context, order: SessionOrder) -> ecs.Session:
        self.orders.append(order)
        return ecs.Session(session_id="s-1", stream_url="ws://here/s-1", token_value="secret")


async def run(services: Services, **members: Any) -> Task:
    """A task whose container `web` runs."""
    given = {"enableExecuteCommand": True, "overrides": {"taskRoleArn": TASK_ROLE}, **members}
    task = await services.run_one(**given)
    status = ContainerStatus(name="web", state="RUNNING")
    return await services.put_status(task, last_status=LastStatus.RUNNING, containers=(status,))


async def ask(
    services: Services, task: str, *, denied: frozenset[str] = frozenset(), **members: Any
) -> tuple[ecs.ExecuteCommandResponse, SessionOrder]:
    opened = Opened()
    execute = ExecuteCommand(services.store, opened, lambda _, action: action not in denied)
    request = ecs.ExecuteCommandRequest(**{"task": task, "command": "sh", "interactive": True, **members})
    answer = await execute.execute_command(services.ctx, request)
    (order,) = opened.orders
    return answer, order


async def test_a_session(services: Services) -> None:
    """For the command's words, as no shell but the rules of one take them apart; all is named as AWS names it."""
    task = await run(services)
    answer, order = await ask(services, task.id, command='sh -c \'echo "a b"\' ""')
    assert order == SessionOrder(task.id, "web", ("sh", "-c", 'echo "a b"', ""), None)
    assert (answer.container_name, answer.interactive) == ("web", True)
    assert answer.task_arn == f"arn:aws:ecs:eu-north-1:123456789012:task/default/{task.id}"
    assert answer.session is not None
    assert answer.session.session_id == "s-1"


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"interactive": False}, "Interactive is the only mode supported currently."),
        ({"command": "  "}, "command should not be empty."),
        ({"command": "''"}, "command should not be empty."),
        ({"command": "sh 'x"}, "command can't be taken apart: No closing quotation."),
        ({"command": "a\0b"}, "command can have at most 65536 characters, and no NUL."),
        ({"command": "x" * 65537}, "command can have at most 65536 characters, and no NUL."),
        ({"container": "nosuch"}, "The container nosuch is not a container of the task."),
    ],
)
async def test_what_is_refused(services: Services, members: dict[str, Any], text: str) -> None:
    """In words, and no session is opened."""
    task = await run(services)
    with pytest.raises(ecs.InvalidParameterException) as raised:
        await ask(services, task.id, **members)
    assert str(raised.value) == text


async def test_several_containers(services: Services) -> None:
    """Which one is to be said."""
    definition = await services.register(
        {"name": "web", "image": "nginx"}, {"name": "side", "image": "nginx"}, family="two", taskRoleArn=TASK_ROLE
    )
    task = await run(services, definition=definition)
    with pytest.raises(ecs.InvalidParameterException, match="container should be given"):
        await ask(services, task.id)
    _, order = await ask(services, task.id, container="web")
    assert order.container == "web"


async def test_the_agent_has_to_run(services: Services) -> None:
    """It was asked for, the container runs, and the task role may open each of the channels."""
    task = await run(services)
    for action in ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"):
        with pytest.raises(ecs.InvalidParameterException, match=NOT_ENABLED[:40]):
            await ask(services, task.id, denied=frozenset({f"ssmmessages:{action}"}))
    closed = await run(services, enableExecuteCommand=False)
    with pytest.raises(ecs.InvalidParameterException, match=NOT_ENABLED[:40]):
        await ask(services, closed.id)
    await services.put_status(task, containers=(ContainerStatus(name="web", state="STOPPED"),))
    with pytest.raises(ecs.InvalidParameterException, match=NOT_ENABLED[:40]):
        await ask(services, task.id)


async def test_a_task_of_another_cluster(services: Services) -> None:
    """Is not found."""
    task = await run(services)
    await services.ecs.create_cluster(services.ctx, ecs.CreateClusterRequest(cluster_name="other"))
    for found, cluster in ((task.id, "other"), ("0" * 32, None)):
        with pytest.raises(ecs.InvalidParameterException, match=r"The referenced task was not found\."):
            await ask(services, found, cluster=cluster)


async def test_without_a_task_role(services: Services) -> None:
    """A task that asks for the agent is refused: nobody would let it in."""
    with pytest.raises(ecs.ClientException, match="a valid taskRoleArn is not being used"):
        await services.run_one(enableExecuteCommand=True)


async def test_where_nobody_holds_sessions(services: Services) -> None:
    """AWS's error for it."""
    task = await run(services)
    execute = ExecuteCommand(services.store, NoSessions(), lambda *_: True)
    request = ecs.ExecuteCommandRequest(task=task.id, command="sh", interactive=True)
    with pytest.raises(ecs.TargetNotConnectedException):
        await execute.execute_command(services.ctx, request)


def cluster(**members: Any) -> Cluster:
    configuration = {"executeCommandConfiguration": members} if members else None
    given = {"clusterName": "c", "configuration": configuration}
    return Cluster(name="c", spec=msgspec.convert(given, ecs.Cluster))


LOGGED = ecs.ContainerDefinition(
    name="web", log_configuration=ecs.LogConfiguration(log_driver="awslogs", options={"awslogs-group": "/app"})
)
FORWARDED = ecs.ContainerDefinition(name="web", log_configuration=ecs.LogConfiguration(log_driver="awsfirelens"))
SILENT = ecs.ContainerDefinition(name="web")
OVERRIDE = {"logging": "OVERRIDE", "logConfiguration": {"cloudWatchLogGroupName": "/audit"}}


@pytest.mark.parametrize(
    ("configuration", "container", "group"),
    [
        ({}, LOGGED, "/app"),
        ({}, FORWARDED, None),
        ({}, SILENT, None),
        ({"logging": "DEFAULT"}, LOGGED, "/app"),
        ({"logging": "NONE"}, LOGGED, None),
        (OVERRIDE, LOGGED, "/audit"),
        (OVERRIDE, SILENT, "/audit"),
        ({"logging": "OVERRIDE", "logConfiguration": {}}, LOGGED, None),
    ],
)
def test_log_group(configuration: dict[str, Any], container: ecs.ContainerDefinition, group: str | None) -> None:
    """The cluster decides where a session is logged; by default where the container's own output goes."""
    assert log_group(cluster(**configuration), container) == group


def test_a_bucket() -> None:
    """There is none to write to: refused, with what to set instead."""
    wanted = cluster(logging="OVERRIDE", logConfiguration={"s3BucketName": "sessions"})
    with pytest.raises(ecs.InvalidParameterException, match="Set cloudWatchLogGroupName instead"):
        log_group(wanted, LOGGED)
