"""
An execution role at work for one task: what it may do is asked of its policies, as for any caller.

Texts are those of a stopped task's reason on AWS.
"""

from __future__ import annotations

import uuid

from tidegate.api.shape import Context, ServiceError
from tidegate.model.arn import arn
from tidegate.model.execution import ExecutionFailure
from tidegate.model.spec import TaskSpec
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.identities import session_arn

ACCESS_DENIED = "AccessDeniedException"


class ExecutionRole:
    """Of one task. Its session is named for the task, as on AWS."""

    def __init__(self, authorizer: Authorizer, task: TaskSpec) -> None:
        if task.execution_role is None:
            raise ExecutionFailure("the task definition names no execution role")
        self._authorizer = authorizer
        self._task = task
        self.principal = session_arn(task.execution_role.rpartition("/")[2], task.id, task.account, task.region)

    @property
    def context(self) -> Context:
        """Who asks, for the services' own functions."""
        return Context(self._task.account, self._task.region, str(uuid.uuid4()), self.principal)

    def refusal(self, action: str, resource: str, policy: str = "") -> str | None:
        """Why it may not do that, as AWS says it; None: it may. policy: the resource's own."""
        decision = self._authorizer.check(self.principal, action, resource, resource_policy=policy)
        if decision.is_allowed:
            return None
        return (
            f"User: {self.principal} is not authorized to perform: {action} on resource: {resource} "
            f"{decision.reason(action)}"
        )

    def may_decrypt(self, key: str, default: str) -> bool:
        """If it may use the KMS key; what is encrypted with AWS's own key for the service takes no permission."""
        if not key or key == default or key.endswith(f":{default}"):
            return True
        name = key if "/" in key else f"key/{key}"
        resource = key if key.startswith("arn:") else arn("kms", self._task.region, self._task.account, name)
        return self.refusal("kms:Decrypt", resource) is None


def called(code: str, message: str, request_id: str) -> str:
    """A service's error as the SDK of Fargate's agent prints it."""
    return f"{code}: {message} status code: 400, request id: {request_id}"


def called_with(error: ServiceError, request_id: str) -> str:
    """The same of an error that a service has raised."""
    return called(error.code, error.message, request_id)
