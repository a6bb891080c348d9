"""What a launch takes of the execution role: each right that is missing is told in AWS's words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fakes.identity import ACCOUNT, Identities, allow
from fakes.specs import task_spec
from tidegate.model.execution import ExecutionFailure
from tidegate.model.log import LogGroup
from tidegate.model.spec import ContainerSpec, LogTarget
from tidegate.node.agent.environment import EnvironmentUnavailable
from tidegate.node.agent.permission import PermittedEnvironment
from tidegate.services.execution.launch import ExecutionLaunch

pytestmark = pytest.mark.anyio
ID = "1" * 32
USER = f"User: arn:aws:sts::123456789012:assumed-role/execution/{ID} is not authorized to perform:"
LOG = LogTarget(group="/g", stream="p/c/1", create_group=True)
GROUP = "arn:aws:logs:eu-north-1:123456789012:log-group:/g:log-stream:"
IMAGE = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/team/app:1"
REPOSITORY = "arn:aws:ecr:eu-north-1:123456789012:repository/team/app"
RIGHTS = {
    "ecr:GetAuthorizationToken": (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: ",
        "*",
        " status code: 400, request id: R",
    ),
    "ecr:BatchGetImage": (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        f"{IMAGE}: AccessDeniedException: ",
        REPOSITORY,
        "",
    ),
    "logs:CreateLogGroup": (
        "ResourceInitializationError: failed to validate logger args: failed to create Cloudwatch log group: "
        "AccessDeniedException: ",
        GROUP,
        "",
    ),
    "logs:CreateLogStream": (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
        "to create Cloudwatch log stream: AccessDeniedException: ",
        f"{GROUP}p/c/1",
        "",
    ),
    "logs:PutLogEvents": (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
        "to create Cloudwatch log stream: AccessDeniedException: ",
        f"{GROUP}p/c/1",
        "",
    ),
}
ALL = (*RIGHTS, "ecr:GetDownloadUrlForLayer")


async def failure(*actions: str, found: Identities | None = None, **members: Any) -> str:
    """The reason why a container is not launched by a role that may do `actions`; empty: it is."""
    found = found or Identities()
    await found.role("execution", *([allow(*actions)] if actions else []))
    role = "arn:aws:iam::123456789012:role/execution"
    task = task_spec(id=ID, account=ACCOUNT.id, region=ACCOUNT.region, execution_role=role)
    container = ContainerSpec(**{"name": "c", "image": IMAGE, "log": LOG, **members})
    try:
        ExecutionLaunch(found.store, found.authorizer).check(task, container)
    except ExecutionFailure as error:
        return re.sub(r"request id: [0-9a-f-]{36}", "request id: R", str(error))
    return ""


@pytest.mark.parametrize("missing", RIGHTS)
async def test_a_right_that_is_missing(missing: str) -> None:
    """Is named with its resource, in the reason that AWS gives."""
    before, resource, after = RIGHTS[missing]
    told = await failure(*(action for action in ALL if action != missing))
    because = f"because no identity-based policy allows the {missing} action"
    assert told == f"{before}{USER} {missing} on resource: {resource} {because}{after}"


async def test_what_is_not_needed_is_not_asked() -> None:
    """ECR for other registries' images, logs without a log driver, creating for a group that is there."""
    assert await failure(*ALL) == ""
    assert await failure(image="busybox", log=None) == ""
    found = Identities()
    await found.put(LogGroup(name="/g", created_at_ms=0))
    assert await failure("logs:CreateLogStream", "logs:PutLogEvents", found=found, image="busybox") == ""


async def test_without_an_execution_role() -> None:
    """There is nobody to ask."""
    found = Identities()
    launch = ExecutionLaunch(found.store, found.authorizer)
    launch.check(task_spec(execution_role=None), ContainerSpec(name="c", image=IMAGE, log=LOG))


async def test_a_refusal_is_the_tasks_reason() -> None:
    """Before anything is pulled."""
    found = Identities()
    await found.role("execution")
    role = "arn:aws:iam::123456789012:role/execution"
    task = task_spec(account=ACCOUNT.id, region=ACCOUNT.region, execution_role=role)
    source = PermittedEnvironment(ExecutionLaunch(found.store, found.authorizer))
    with pytest.raises(EnvironmentUnavailable, match=r"^ResourceInitializationError: "):
        await source.resolve(task, ContainerSpec(name="c", image="busybox", log=LOG))
    assert await source.resolve(task, ContainerSpec(name="c", image="busybox")) == {}
