"""
ExecuteCommand: who may have a session with a container, and where what it says is kept.

The agent that AWS runs beside the container is the server itself here; what it needs on AWS is asked for all the same:
a task that was started with `enableExecuteCommand`, whose task role may open channels. Source: developer guide,
"Monitor Amazon ECS containers with ECS Exec".
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.arn import role_arn
from tidegate.model.task import Cluster, Task, TaskDefinition
from tidegate.services.ecs.clusters import get_cluster
from tidegate.services.ecs.names import cluster_arn, container_arn, task_arn
from tidegate.services.ecs.tasks import task_id
from tidegate.services.iam.task_roles import AGENT_ACTIONS
from tidegate.store.store import Store

NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command "
    "agent isn’t running. Wait and try again or run a new task with execute command enabled and try again."
)
MAX_COMMAND = 64 * 1024


@dataclass(frozen=True, slots=True)
class SessionOrder:
    """A session that may be had. log_group: where what it says is kept; None: nowhere."""

    task: str
    container: str
    command: tuple[str, ...]
    log_group: str | None


class ExecSessions(Protocol):
    """Opens sessions: the server's side of data channels."""

    def open(self, ctx: Context, order: SessionOrder) -> ecs.Session:
        """Raises the modelled exceptions."""


class NoSessions:
    """Where there is no server to hold them."""

    def open(self, ctx: Context, order: SessionOrder) -> ecs.Session:
        """Refused, in AWS's words."""
        raise ecs.TargetNotConnectedException("The execute command failed due to an internal error. Try again later.")


May = Callable[[str, str], bool]
"""May a role (its ARN) do that?"""


class ExecuteCommand:
    """The operation."""

    def __init__(self, store: Store, sessions: ExecSessions, may: May) -> None:
        self._store = store
        self._sessions = sessions
        self._may = may

    async def execute_command(self, ctx: Context, request: ecs.ExecuteCommandRequest) -> ecs.ExecuteCommandResponse:
        """A session for one command, to be begun within a minute."""
        cluster = get_cluster(self._store, ctx, request.cluster)
        name = task_id(ctx, request.task, cluster.name)
        task = self._store.get(Task, name)
        if task is None or task.cluster != cluster.name:
            raise ecs.InvalidParameterException("The referenced task was not found.")
        if not request.interactive:
            raise ecs.InvalidParameterException("Interactive is the only mode supported currently.")
        command = _split(request.command)
        definition = self._store.get(TaskDefinition, task.definition)
        spec = definition.spec if definition is not None else ecs.TaskDefinition()
        container = _find_container(spec, request.container)
        self._check_agent(ctx, task, spec, container.name or "")
        group = log_group(cluster, container)
        order = SessionOrder(task.id, container.name or "", command, group)
        return ecs.ExecuteCommandResponse(
            cluster_arn=cluster_arn(ctx, cluster.name),
            container_arn=container_arn(ctx, cluster.name, task.id, task.container_ids.get(order.container, "")),
            container_name=order.container,
            interactive=True,
            session=self._sessions.open(ctx, order),
            task_arn=task_arn(ctx, cluster.name, task.id),
        )

    def _check_agent(self, ctx: Context, task: Task, spec: ecs.TaskDefinition, container: str) -> None:
        """It runs where it was asked for, in a container that runs, if the role lets it."""
        status = next((c for c in task.status.containers if c.name == container), None)
        overrides = task.request.overrides or ecs.TaskOverride()
        role = overrides.task_role_arn or spec.task_role_arn
        runs = status is not None and status.state == "RUNNING" and task.request.enable_execute_command
        if not runs or not role or not self._is_allowed(role_arn(ctx.region, ctx.account, role)):
            raise ecs.InvalidParameterException(NOT_ENABLED)

    def _is_allowed(self, role: str) -> bool:
        return all(self._may(role, action) for action in AGENT_ACTIONS)


def log_group(cluster: Cluster, container: ecs.ContainerDefinition) -> str | None:
    """
    Where a session's output is kept, by the cluster's `executeCommandConfiguration`.

    DEFAULT, also where nothing is said: the container's own awslogs group, if it has one. Raises
    InvalidParameterException for what can't be kept as it is wanted.
    """
    configuration = cluster.spec.configuration.execute_command_configuration if cluster.spec.configuration else None
    logging = configuration.logging if configuration is not None else None
    if logging == "NONE":
        return None
    if logging == "OVERRIDE":
        wanted = configuration.log_configuration if configuration is not None else None
        if wanted is not None and wanted.s3_bucket_name:
            raise ecs.InvalidParameterException(
                f"The session can't be logged as cluster {cluster.name} wants: there is no S3 here to write to. Set "
                "cloudWatchLogGroupName instead of s3BucketName in its executeCommandConfiguration."
            )
        return wanted.cloud_watch_log_group_name or None if wanted is not None else None
    log = container.log_configuration
    if log is None or log.log_driver != "awslogs":
        return None
    return (log.options or {}).get("awslogs-group")


def _split(command: str) -> tuple[str, ...]:
    """Into words, as AWS's agent does: no shell takes part."""
    if len(command) > MAX_COMMAND or "\0" in command:
        raise ecs.InvalidParameterException(f"command can have at most {MAX_COMMAND} characters, and no NUL.")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ecs.InvalidParameterException(f"command can't be taken apart: {error}.") from error
    if not words or not words[0]:
        raise ecs.InvalidParameterException("command should not be empty.")
    return words


def _find_container(spec: ecs.TaskDefinition, name: str | None) -> ecs.ContainerDefinition:
    containers = {c.name or "": c for c in spec.container_definitions or ()}
    if name is None and len(containers) == 1:
        return next(iter(containers.values()))
    if name is None:
        raise ecs.InvalidParameterException("container should be given for a task that has more than one.")
    if name not in containers:
        raise ecs.InvalidParameterException(f"The container {name[:255]} is not a container of the task.")
    return containers[name]
