"""
What a container's launch takes of the execution role beside secrets: its image, if it is ECR's, and its log.

Texts as observed in the reasons of stopped tasks on Fargate.
"""

from __future__ import annotations

import re

from tidegate.model.arn import arn
from tidegate.model.execution import ExecutionFailure
from tidegate.model.log import LogGroup
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.services.execution.role import ACCESS_DENIED, ExecutionRole, called
from tidegate.services.iam.authorization import Authorizer
from tidegate.store.store import Store

_ECR = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)([:@].*)?"
)
_AUTH = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable "
    "to retrieve ecr registry auth: service call has been retried 1 time(s): "
)
_MANIFEST = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {}: {}"
_GROUP = "ResourceInitializationError: failed to validate logger args: failed to create Cloudwatch log group: {}"
_STREAM = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: {}"
)


class ExecutionLaunch:
    """Satisfies the node's `LaunchPermission`."""

    def __init__(self, store: Store, authorizer: Authorizer) -> None:
        self._store = store
        self._authorizer = authorizer

    def check(self, task: TaskSpec, container: ContainerSpec) -> None:
        """A task without an execution role has nobody to ask: what takes one is refused when it is registered."""
        if task.execution_role is None:
            return
        role = ExecutionRole(self._authorizer, task)
        self._check_image(role, container.image)
        self._check_log(role, task, container)

    def _check_image(self, role: ExecutionRole, image: str) -> None:
        found = _ECR.fullmatch(image)
        if found is None:
            return
        refusal = role.refusal("ecr:GetAuthorizationToken", "*")
        if refusal is not None:
            raise ExecutionFailure(_AUTH + called(ACCESS_DENIED, refusal, role.context.request_id))
        repository = arn("ecr", found["region"], found["account"], f"repository/{found['name']}")
        for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
            refusal = role.refusal(action, repository)
            if refusal is not None:
                raise ExecutionFailure(_MANIFEST.format(image, f"{ACCESS_DENIED}: {refusal}"))

    def _check_log(self, role: ExecutionRole, task: TaskSpec, container: ContainerSpec) -> None:
        log = container.log
        if log is None:
            return
        group = arn("logs", task.region, task.account, f"log-group:{log.group}:log-stream:")
        if log.create_group and self._store.get(LogGroup, log.group) is None:
            refusal = role.refusal("logs:CreateLogGroup", group)
            if refusal is not None:
                raise ExecutionFailure(_GROUP.format(f"{ACCESS_DENIED}: {refusal}"))
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            refusal = role.refusal(action, group + log.stream)
            if refusal is not None:
                raise ExecutionFailure(_STREAM.format(f"{ACCESS_DENIED}: {refusal}"))
