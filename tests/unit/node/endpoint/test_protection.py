"""Task protection in the agent's form."""

from __future__ import annotations

import pytest

from fakes.endpoint import ROLE, web_task
from tidegate.model.spec import TaskSpec
from tidegate.node.endpoint.protection import ProtectionApi, ProtectionRefused, ProtectionState

pytestmark = pytest.mark.anyio

TASK = web_task(task_role=ROLE)


class NotAService:
    """ECS, of a task that no service started."""

    async def get(self, task: TaskSpec) -> ProtectionState:
        raise ProtectionRefused("TASK_NOT_VALID")

    async def update(self, task: TaskSpec, *, is_enabled: bool, expires_in_minutes: int | None) -> ProtectionState:
        raise ProtectionRefused("TASK_NOT_VALID")


async def test_a_refusal_is_an_answer() -> None:
    """HTTP 200 with the failure, as ECS gave it."""
    expected = {"failure": {"Arn": TASK.arn, "Detail": None, "Reason": "TASK_NOT_VALID"}}
    assert await ProtectionApi(NotAService()).get(TASK) == (200, expected)
    assert await ProtectionApi(NotAService()).put(TASK, b'{"ProtectionEnabled":true}') == (200, expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "UpdateTaskProtection: failed to decode request"),
        (b"[]", "UpdateTaskProtection: failed to decode request"),
        (b'{"ProtectionEnabled":true,"Other":1}', "UpdateTaskProtection: failed to decode request"),
        (b'{"ProtectionEnabled":"yes"}', "UpdateTaskProtection: failed to decode request"),
        (b'{"ProtectionEnabled":true,"ExpiresInMinutes":1e99}', "UpdateTaskProtection: failed to decode request"),
        (b"{}", "Invalid request: does not contain 'ProtectionEnabled' field"),
        (b'{"ExpiresInMinutes":5}', "Invalid request: does not contain 'ProtectionEnabled' field"),
    ],
)
async def test_requests_that_say_nothing(body: bytes, message: str) -> None:
    """400 before anybody is asked."""
    error = {"error": {"Arn": TASK.arn, "Code": "InvalidParameterException", "Message": message}}
    assert await ProtectionApi(NotAService()).put(TASK, body) == (400, error)


@pytest.mark.parametrize("task", [web_task(), web_task(execution_role=ROLE)])
async def test_a_task_without_a_role_may_not(task: TaskSpec) -> None:
    """The role is whose permission it takes."""
    message = "Invalid Request: no task IAM role credentials available for task"
    error = {"error": {"Arn": task.arn, "Code": "AccessDeniedException", "Message": message}}
    assert await ProtectionApi(NotAService()).get(task) == (403, error)
    assert await ProtectionApi(NotAService()).put(task, b'{"ProtectionEnabled":true}') == (403, error)
