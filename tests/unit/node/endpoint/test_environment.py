"""What containers are told of their endpoint."""

from __future__ import annotations

import msgspec
import pytest

from fakes.endpoint import ROLE, TASK, web_task
from tidegate.model.spec import ContainerSpec
from tidegate.node.agent.environment import CombinedEnvironment, DefinedEnvironment
from tidegate.node.endpoint.credentials import CredentialsIds
from tidegate.node.endpoint.environment import EndpointEnvironment

pytestmark = pytest.mark.anyio

IDS = CredentialsIds(b"k" * 32)


async def test_every_container_has_its_own_address() -> None:
    """One id in the three; it is the runtime id that DescribeTasks shows."""
    task = web_task(containers=(ContainerSpec(name="a", image="a"), ContainerSpec(name="b", image="b")))
    first, second = [await EndpointEnvironment(IDS).resolve(task, container) for container in task.containers]
    assert first == {
        "ECS_CONTAINER_METADATA_URI": f"http://169.254.170.2/v3/{task.runtime_id('a')}",
        "ECS_CONTAINER_METADATA_URI_V4": f"http://169.254.170.2/v4/{task.runtime_id('a')}",
        "ECS_AGENT_URI": f"http://169.254.170.2/api/{task.runtime_id('a')}",
    }
    assert not set(first.values()) & set(second.values())


async def test_credentials_are_told_of_where_there_are_any() -> None:
    """With a task role; the same for all containers of the task."""
    task = web_task(task_role=ROLE)
    found = await EndpointEnvironment(IDS).resolve(task, task.containers[0])
    assert found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] == f"/v2/credentials/{IDS.of(TASK)}"
    for without in (web_task(), web_task(execution_role=ROLE)):
        found = await EndpointEnvironment(IDS).resolve(without, without.containers[0])
        assert "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" not in found
    assert "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" not in await EndpointEnvironment(None).resolve(
        task, task.containers[0]
    )


async def test_a_definition_does_not_overrule_it() -> None:
    """As on ECS: what the agent sets counts, and all else that was defined is there beside it."""
    task = web_task(task_role=ROLE)
    container = msgspec.structs.replace(
        task.containers[0], environment={"ECS_AGENT_URI": "http://elsewhere", "MODE": "test"}
    )
    source = CombinedEnvironment(DefinedEnvironment(), EndpointEnvironment(IDS))
    found = await source.resolve(task, container)
    assert found["ECS_AGENT_URI"].startswith("http://169.254.170.2/api/")
    assert found["MODE"] == "test"
