"""Overrides: what they may say, what they come to, how they are shown."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import ROLE, container
from fakes.services import Services
from tidegate.api import ecs
from tidegate.api.shape import ServiceError

pytestmark = pytest.mark.anyio


def of_web(**members: Any) -> dict[str, Any]:
    return {"containerOverrides": [{"name": "web", **members}]}


@pytest.mark.parametrize(
    ("overrides", "kind", "message"),
    [
        (
            {"containerOverrides": [{"name": "db"}]},
            ecs.InvalidParameterException,
            "Override for container named db is not a container in the TaskDefinition.",
        ),
        (
            {"containerOverrides": [{"command": ["x"]}]},
            ecs.InvalidParameterException,
            "Container.name should not be null or empty.",
        ),
        (
            {"containerOverrides": [{"name": "web"}, {"name": "web"}]},
            ecs.InvalidParameterException,
            "Override for container named web is given more than once.",
        ),
        (
            of_web(command=["x" * 8200]),
            ecs.InvalidParameterException,
            "Task overrides can have at most 8192 characters.",
        ),
        (
            {"inferenceAcceleratorOverrides": [{"deviceName": "d"}]},
            ecs.InvalidParameterException,
            "Tasks using the Fargate launch type do not support inference accelerators",
        ),
        (
            {"cpu": "512"},
            ecs.ClientException,
            "No Fargate configuration exists for given values: 512 CPU, 512 memory. "
            "See the Amazon ECS documentation for the valid values.",
        ),
        ({"cpu": "much"}, ecs.ClientException, "Invalid 'cpu' setting for task."),
        (
            of_web(memory=1024),
            ecs.ClientException,
            "The 'memory' setting for container 'web' is greater than for the task",
        ),
        (
            {"ephemeralStorage": {"sizeInGiB": 20}},
            ecs.ClientException,
            "EphemeralStorage size should be at least 21",
        ),
        (
            {"ephemeralStorage": {"sizeInGiB": 201}},
            ecs.ClientException,
            "EphemeralStorage size should be at most 200",
        ),
        (
            of_web(resourceRequirements=[{"type": "GPU", "value": "1"}]),
            ecs.ClientException,
            "Tasks using the Fargate launch type do not support GPU resource requirements",
        ),
    ],
)
async def test_refused(services: Services, overrides: Any, kind: type[ServiceError], message: str) -> None:
    """Overrides that can't be applied, or that come to what could not be registered, are refused."""
    with pytest.raises(kind) as caught:
        await services.run(overrides=overrides)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "members",
    [
        {"environment": [{"name": "", "value": "x"}]},
        {"environment": [{"name": "A=B", "value": "x"}]},
        {"command": ["a\0b"]},
        {"cpu": -1},
        {"memory": 1},
        {"environmentFiles": [{"value": "arn:aws:s3:::b/f.env", "type": "s3"}]},
    ],
)
async def test_containers_refused(services: Services, members: dict[str, Any]) -> None:
    """A container that comes out wrong is refused by the same rules as in a definition."""
    with pytest.raises(ecs.ClientException):
        await services.run(overrides=of_web(**members))


async def test_files_take_an_execution_role(services: Services) -> None:
    """Which the override may bring; it is what is asked when the files are read."""
    given = of_web(environmentFiles=[{"value": "arn:aws:s3:::b/f.env", "type": "s3"}])
    (task,) = await services.run(overrides={**given, "executionRoleArn": "arn:aws:iam::123456789012:role/execution"})
    assert task.overrides is not None
    (web,) = task.overrides.container_overrides or ()
    assert [file.value for file in web.environment_files or ()] == ["arn:aws:s3:::b/f.env"]


async def test_a_variable_can_not_take_a_secrets_place(services: Services) -> None:
    """With AWS's text."""
    secret = {"name": "S", "valueFrom": "p"}
    await services.register(container(secrets=[secret]), family="kept", executionRoleArn=ROLE)
    with pytest.raises(ecs.ClientException) as caught:
        await services.run("kept", overrides=of_web(environment=[{"name": "S", "value": "x"}]))
    assert caught.value.message == (
        "The secret name must be unique and not shared with any new or existing environment variables set on the "
        "container, such as 'S'."
    )


async def test_sizes_become_plain(services: Services) -> None:
    """`cpu` and `memory` are kept and shown in units and MiB, however they were written."""
    (task,) = await services.run(overrides={"cpu": ".5 vCPU", "memory": "1 GB"})
    assert (task.cpu, task.memory) == ("512", "1024")
    assert task.overrides is not None
    assert (task.overrides.cpu, task.overrides.memory) == ("512", "1024")
    stored = services.record(task).request.overrides
    assert stored is not None
    assert (stored.cpu, stored.memory) == ("512", "1024")


async def test_shown_for_every_container(services: Services) -> None:
    """A task's overrides name each container of the definition, in its order, with what was changed."""
    await services.register(container(), container(name="side", essential=False), family="two")
    given = {"name": "side", "command": ["a"], "environment": [{"name": "A", "value": "1"}], "cpu": 32, "memory": 64}
    (task,) = await services.run("two", overrides={"containerOverrides": [given]})
    assert task.overrides is not None
    first, second = task.overrides.container_overrides or ()
    assert first == ecs.ContainerOverride(name="web")
    assert (second.name, second.command) == ("side", ("a",))
    side = (task.containers or ())[1]
    assert (side.cpu, side.memory) == ("32", "64")


async def test_token_compares_what_was_sent(services: Services) -> None:
    """A replay with the same overrides is the same request; with others it is not."""
    first = await services.run(clientToken="t", overrides={"cpu": "0.5 vCPU", "memory": "1024"})
    assert await services.run(clientToken="t", overrides={"cpu": "0.5 vCPU", "memory": "1024"}) == first
    with pytest.raises(ecs.ConflictException):
        await services.run(clientToken="t", overrides={"cpu": "0.5 vCPU", "memory": "2048"})
