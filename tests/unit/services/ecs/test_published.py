"""Ports of the host that lead to a task."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.spec import PublishedPort
from tidegate.model.task import Task

pytestmark = pytest.mark.anyio


async def refused(services: Services, **members: Any) -> str:
    """The message with which RunTask refuses it; nothing was written."""
    with pytest.raises(ecs.InvalidParameterException) as caught:
        await services.run(**members)
    assert list(services.store.select(Task)) == []
    return caught.value.message


async def test_published_ports(services: Services) -> None:
    """The tag `tidegate:publish` becomes the task's published ports."""
    value = "8080:80/tcp 127.0.0.2:8443:443 53:53/udp"
    task = await services.run_one(tags=[{"key": "tidegate:publish", "value": value}])
    assert task.published == (
        PublishedPort(host_port=8080, container_port=80),
        PublishedPort(host_address="127.0.0.2", host_port=8443, container_port=443),
        PublishedPort(host_port=53, container_port=53, protocol="udp"),
    )


@pytest.mark.parametrize(
    "value",
    ["", "80", "80:80/sctp", "0:80", "80:65536", "a:80", "1.2.3:80:80", "999.0.0.1:80:80", "80:80 80:81", "٨٠:80"],
)
async def test_published_nonsense(services: Services, value: str) -> None:
    """What is no list of ports is refused, not guessed at."""
    message = await refused(services, tags=[{"key": "tidegate:publish", "value": value}])
    assert message.startswith("cannot read the tag tidegate:publish")


async def test_published_port_is_one_tasks(services: Services) -> None:
    """A host port leads to one task: neither several at once nor a second one get it, until the first is to stop."""
    tags = [{"key": "tidegate:publish", "value": "8080:80"}]
    anywhere = [{"key": "tidegate:publish", "value": "0.0.0.0:8080:80"}]
    elsewhere = [{"key": "tidegate:publish", "value": "127.0.0.2:8080:80"}]
    message = await refused(services, tags=tags, count=2)
    assert message == "cannot run 2 tasks with the tag tidegate:publish: a port leads to one"
    first = await services.run_one(tags=tags)
    for overlapping in (tags, anywhere):
        with pytest.raises(ecs.InvalidParameterException, match=f"127.0.0.1:8080/tcp: task {first.id} has that port"):
            await services.run(tags=overlapping)
    await services.run(tags=elsewhere)
    await services.ecs.stop_task(services.ctx, ecs.StopTaskRequest(task=first.id))
    await services.run(tags=tags)
