"""The environment files of a task, read with its execution role."""

from __future__ import annotations

import re

import anyio.to_thread

from tidegate.model.execution import ExecutionFailure
from tidegate.model.spec import TaskSpec
from tidegate.services.execution.role import ExecutionRole
from tidegate.services.iam.authorization import Authorizer
from tidegate.store.objects import ObjectDirectory, ObjectMissing

_ARN = re.compile(r"arn:aws[a-z-]*:s3:::(?P<bucket>[^/]+)/(?P<key>.+)", re.DOTALL)
_DENIED = "failed to write to a temporary file: AccessDenied: Access Denied status code: 403, request id: {}"


class ExecutionObjects:
    """Satisfies the node's `ObjectSource`."""

    def __init__(self, objects: ObjectDirectory, authorizer: Authorizer) -> None:
        self._objects = objects
        self._authorizer = authorizer

    async def read_object(self, task: TaskSpec, arn: str) -> bytes:
        """The whole object. Raises ExecutionFailure."""
        found = _ARN.fullmatch(arn)
        if found is None:
            raise ExecutionFailure(f"{arn} is not the ARN of an object")
        role = ExecutionRole(self._authorizer, task)
        request_id = role.context.request_id
        if role.refusal("s3:GetObject", arn) is not None:
            raise ExecutionFailure(_DENIED.format(request_id))
        try:
            return await anyio.to_thread.run_sync(self._objects.read, found["bucket"], found["key"])
        except ObjectMissing as missing:
            raise ExecutionFailure(f"{missing.code}: {missing} status code: 404, request id: {request_id}") from None
