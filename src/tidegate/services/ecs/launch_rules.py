"""What RunTask refuses before anything is written: each rule a function of the request and what it names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.api import ecs
from tidegate.model.spec import PublishedPort
from tidegate.model.task import Cluster, Task, TaskDefinition
from tidegate.services.ecs.capacity import check_strategy, choose_provider
from tidegate.services.ecs.client_tokens import check_token
from tidegate.services.ecs.published import PUBLISH_TAG
from tidegate.services.ecs.tag_rules import Tags, check_tags, merge_tags, too_many
from tidegate.store.store import Store

MAX_COUNT = 10
_STARTED_BY = re.compile(r"[A-Za-z0-9_/-]{1,128}")
_MAX_GROUP = 255
_NO_INSTANCES = "No Container Instances were found in your cluster."


def check_members(request: ecs.RunTaskRequest) -> None:
    """The members that stand alone: lengths, ranges, and what Fargate or Tidegate does not do."""
    if request.count is not None and not 1 <= request.count <= MAX_COUNT:
        raise ecs.InvalidParameterException(f"count should be between 1 and {MAX_COUNT}.")
    if request.started_by and not _STARTED_BY.fullmatch(request.started_by):
        raise ecs.InvalidParameterException(
            "startedBy can have up to 128 letters, numbers, hyphens, forward slashes and underscores."
        )
    if request.group is not None and not 1 <= len(request.group) <= _MAX_GROUP:
        raise ecs.InvalidParameterException(f"group can have 1 to {_MAX_GROUP} characters.")
    if request.propagate_tags == "SERVICE":
        raise ecs.InvalidParameterException("propagateTags should be one of [TASK_DEFINITION,NONE]")
    check_token(request.client_token)
    if request.placement_constraints:
        raise ecs.InvalidParameterException("Placement constraints are not supported with FARGATE launch type.")
    if request.placement_strategy:
        raise ecs.InvalidParameterException("Placement strategies are not supported with FARGATE launch type.")
    if request.volume_configurations:
        raise ecs.ClientException("cannot configure volumes at launch: EBS volumes are not supported yet")


def check_execute_command(request: ecs.RunTaskRequest, definition: TaskDefinition) -> None:
    """A shell needs a task role: the agent would have none to ask for its channels with."""
    overrides = request.overrides or ecs.TaskOverride()
    if request.enable_execute_command and not (overrides.task_role_arn or definition.spec.task_role_arn):
        raise ecs.ClientException(
            "The task couldn't be started because a valid taskRoleArn is not being used. Specify a valid task role in "
            "your task definition and try again."
        )


def check_capacity(request: ecs.RunTaskRequest, cluster: Cluster) -> str | None:
    """The capacity provider that the tasks go to; None with the FARGATE launch type."""
    if request.launch_type is not None:
        if request.capacity_provider_strategy:
            raise ecs.InvalidParameterException(
                "Specify either Launch Type or Capacity Provider Strategy, but not both."
            )
        if request.launch_type == "MANAGED_INSTANCES":
            raise ecs.InvalidParameterException("launch type should be one of [EC2,FARGATE,EXTERNAL]")
        if request.launch_type != "FARGATE":
            raise ecs.InvalidParameterException(_NO_INSTANCES)
        return None
    strategy = request.capacity_provider_strategy or cluster.spec.default_capacity_provider_strategy
    if not strategy:
        raise ecs.InvalidParameterException(_NO_INSTANCES)
    return choose_provider(check_strategy(strategy, cluster.spec.capacity_providers or ()))


def check_definition(definition: TaskDefinition) -> None:
    """Fargate runs what registration found fit for it."""
    if "FARGATE" not in (definition.spec.compatibilities or ()):
        raise ecs.InvalidParameterException("Task definition does not support launch_type FARGATE.")


def task_tags(request: ecs.RunTaskRequest, cluster: Cluster, definition: TaskDefinition) -> Tags:
    """The tasks' tags: propagated ones, the request's over them, and the system's."""
    propagated = definition.tags if request.propagate_tags == "TASK_DEFINITION" else ()
    tags = merge_tags(propagated, check_tags(request.tags))
    if too_many(tags):
        raise ecs.InvalidParameterException("A task can have at most 50 tags, propagated ones included.")
    if request.enable_ecs_managed_tags:
        tags = (*tags, ecs.Tag(key="aws:ecs:clusterName", value=cluster.name))
    return tags


def check_published(store: Store, ports: Iterable[PublishedPort], count: int) -> None:
    """A port of the host leads to one task: refuse several at once, and what another task holds."""
    wanted = tuple(ports)
    if not wanted:
        return
    if count > 1:
        raise ecs.InvalidParameterException(f"cannot run {count} tasks with the tag {PUBLISH_TAG}: a port leads to one")
    for task in store.select(Task, "active", "yes"):
        if task.status.desired_status == "STOPPED":
            continue
        for held in task.published:
            if any(_overlap(held, port) for port in wanted):
                raise ecs.InvalidParameterException(
                    f"cannot publish {held.host_address}:{held.host_port}/{held.protocol}: "
                    f"task {task.id} has that port of the host"
                )


def _overlap(one: PublishedPort, other: PublishedPort) -> bool:
    if (one.host_port, one.protocol) != (other.host_port, other.protocol):
        return False
    addresses = {one.host_address, other.host_address}
    return len(addresses) == 1 or "0.0.0.0" in addresses  # noqa: S104 - it is compared, not listened on
