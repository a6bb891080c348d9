"""GetTaskProtection and UpdateTaskProtection."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.status import LastStatus
from tidegate.model.task import Task
from tidegate.store.store import Put

pytestmark = pytest.mark.anyio


async def service_task(services: Services) -> Task:
    """One that a service started."""
    task = await services.run_one()
    await services.store.commit(Put(msgspec.structs.replace(task, service="web-svc")))
    found = services.store.get(Task, task.id)
    assert found is not None
    return found


async def get(services: Services, *tasks: str, **members: Any) -> ecs.GetTaskProtectionResponse:
    request = ecs.GetTaskProtectionRequest(cluster="default", tasks=tasks, **members)
    return await services.ecs.get_task_protection(services.ctx, request)


async def update(services: Services, *tasks: str, enabled: bool = True, **members: Any) -> Any:
    request = ecs.UpdateTaskProtectionRequest(cluster="default", tasks=tasks, protection_enabled=enabled, **members)
    return await services.ecs.update_task_protection(services.ctx, request)


def arn_of(task: Task | str) -> str:
    name = task if isinstance(task, str) else task.id
    return f"arn:aws:ecs:eu-north-1:123456789012:task/default/{name}"


async def test_protection_for_two_hours_by_default(services: Services) -> None:
    """Counted anew from each call; the answer and what is read later are the same."""
    task = await service_task(services)
    assert (await get(services, task.id)).protected_tasks == (
        ecs.ProtectedTask(task_arn=arn_of(task), protection_enabled=False),
    )
    for _ in range(2):
        services.time += 60
        answer = await update(services, arn_of(task))
        assert answer.protected_tasks == (
            ecs.ProtectedTask(task_arn=arn_of(task), protection_enabled=True, expiration_date=services.time + 2 * 3600),
        )
        assert (await get(services, task.id)).protected_tasks == answer.protected_tasks


async def test_protection_ends_by_itself(services: Services) -> None:
    """When its minutes have passed, and at once when it is taken away."""
    task = await service_task(services)
    await update(services, task.id, expires_in_minutes=1)
    services.time += 59
    assert (await get(services, task.id)).protected_tasks[0].protection_enabled  # type: ignore[index]
    services.time += 1
    assert (await get(services, task.id)).protected_tasks == (
        ecs.ProtectedTask(task_arn=arn_of(task), protection_enabled=False),
    )
    await update(services, task.id)
    answer = await update(services, task.id, enabled=False)
    assert answer.protected_tasks == (ecs.ProtectedTask(task_arn=arn_of(task), protection_enabled=False),)


async def test_what_can_not_be_protected(services: Services) -> None:
    """Failures beside what went well: unknown tasks, tasks that no service started, tasks that have stopped."""
    task, alone, ended = await service_task(services), await services.run_one(), await service_task(services)
    await services.put_status(ended, last_status=LastStatus.STOPPED)
    names = [task.id, "0" * 32, alone.id, ended.id, arn_of(task)]
    for answer in (await get(services, *names), await update(services, *names)):
        assert [shown.task_arn for shown in answer.protected_tasks or ()] == [arn_of(task)]
        assert answer.failures == (
            ecs.Failure(arn=arn_of("0" * 32), reason="MISSING"),
            ecs.Failure(arn=arn_of(alone), reason="TASK_NOT_VALID"),
            ecs.Failure(arn=arn_of(ended), reason="TASK_NOT_VALID"),
        )


@pytest.mark.parametrize("minutes", [0, -1, 2881])
async def test_minutes_have_bounds(services: Services, minutes: int) -> None:
    """One minute to two days, where there is something to protect."""
    task = await service_task(services)
    with pytest.raises(ecs.InvalidParameterException):
        await update(services, task.id, expires_in_minutes=minutes)
    await update(services, task.id, enabled=False, expires_in_minutes=minutes)


async def test_numbers_of_tasks_have_bounds(services: Services) -> None:
    """A hundred to read, ten to change, one at least; and they are of the cluster named."""
    await services.run_one()
    ids = [f"{number:032x}" for number in range(101)]
    with pytest.raises(ecs.InvalidParameterException):
        await get(services, *ids)
    with pytest.raises(ecs.InvalidParameterException):
        await update(services, *ids[:11])
    with pytest.raises(ecs.InvalidParameterException, match="Tasks cannot be empty"):
        await get(services)
    with pytest.raises(ecs.InvalidParameterException, match="Identifier is for cluster other"):
        await get(services, f"arn:aws:ecs:eu-north-1:123456789012:task/other/{ids[0]}")
    request = ecs.GetTaskProtectionRequest(cluster="nowhere", tasks=(ids[0],))
    with pytest.raises(ecs.ClusterNotFoundException):
        await services.ecs.get_task_protection(services.ctx, request)
