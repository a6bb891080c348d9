"""
Task protection as containers see it: the agent's form of ECS's GetTaskProtection and UpdateTaskProtection.

Source: Amazon ECS Developer Guide, Task scale-in protection endpoint. ECS itself is asked, in the name of the task's
role; what it answers, refuses or fails with is passed on in the agent's form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import anyio
import msgspec

from tidegate.model.spec import TaskSpec
from tidegate.node.endpoint.metadata import render_time

TIMEOUT_SECONDS = 5.0
Answer = tuple[int, dict[str, Any]]
"""Status and body."""


@dataclass(frozen=True, slots=True)
class ProtectionState:
    """expires_at: seconds since the epoch; None if it is not protected."""

    expires_at: float | None


class ProtectionRefused(Exception):
    """ECS has answered with a failure of the task. str() is its reason, e.g. TASK_NOT_VALID."""

    def __init__(self, reason: str, detail: str | None = None) -> None:
        super().__init__(reason)
        self.detail = detail


class ProtectionError(Exception):
    """ECS has answered with an exception."""

    def __init__(self, status: int, code: str, message: str, request_id: str) -> None:
        super().__init__(message)
        self.status, self.code, self.request_id = status, code, request_id


class Protection(Protocol):
    """ECS, asked in the name of a task's role. Both raise ProtectionRefused, ProtectionError."""

    async def get(self, task: TaskSpec) -> ProtectionState:
        """As it is now."""

    async def update(self, task: TaskSpec, *, is_enabled: bool, expires_in_minutes: int | None) -> ProtectionState:
        """As it is then."""


class _Update(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    """The body of a PUT."""

    protection_enabled: bool | None = None
    expires_in_minutes: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None


class ProtectionApi:
    """Answers GET and PUT. protection: None where there is nobody to ask, so that no task has a role."""

    def __init__(self, protection: Protection | None) -> None:
        self._protection = protection

    async def get(self, task: TaskSpec) -> Answer:
        """The state."""
        return await self._ask(task, None)

    async def put(self, task: TaskSpec, body: bytes) -> Answer:
        """The state, changed."""
        try:
            wanted = msgspec.json.decode(body, type=_Update)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _invalid(task, "UpdateTaskProtection: failed to decode request")
        if wanted.protection_enabled is None:
            return _invalid(task, "Invalid request: does not contain 'ProtectionEnabled' field")
        return await self._ask(task, wanted)

    async def _ask(self, task: TaskSpec, wanted: _Update | None) -> Answer:
        if self._protection is None or task.task_role is None:
            message = "Invalid Request: no task IAM role credentials available for task"
            return 403, _error(task, "AccessDeniedException", message)
        try:
            with anyio.fail_after(TIMEOUT_SECONDS):
                if wanted is None:
                    state = await self._protection.get(task)
                else:
                    state = await self._protection.update(
                        task,
                        is_enabled=bool(wanted.protection_enabled),
                        expires_in_minutes=wanted.expires_in_minutes,
                    )
        except ProtectionRefused as refused:
            return 200, {"failure": {"Arn": task.arn, "Detail": refused.detail, "Reason": str(refused)}}
        except ProtectionError as error:
            return error.status, {"requestID": error.request_id, **_error(task, error.code, str(error))}
        except TimeoutError:
            return 504, _error(task, "RequestCanceled", "Timed out calling ECS Task Protection API")
        return 200, {"protection": _render(task, state)}


def _render(task: TaskSpec, state: ProtectionState) -> dict[str, Any]:
    return {
        "ExpirationDate": None if state.expires_at is None else render_time(state.expires_at),
        "ProtectionEnabled": state.expires_at is not None,
        "TaskArn": task.arn,
    }


def _invalid(task: TaskSpec, message: str) -> Answer:
    return 400, _error(task, "InvalidParameterException", message)


def _error(task: TaskSpec, code: str, message: str) -> dict[str, Any]:
    return {"error": {"Arn": task.arn, "Code": code, "Message": message}}
