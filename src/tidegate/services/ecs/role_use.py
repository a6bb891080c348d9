"""What a launch asks of its roles: read from the definition and the overrides."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.arn import arn
from tidegate.model.secret_reference import SecretReference, parse_reference
from tidegate.model.task import TaskDefinition
from tidegate.services.iam.task_roles import AGENT_ACTIONS, Wanted


def wanted_roles(ctx: Context, definition: TaskDefinition, request: ecs.RunTaskRequest) -> Wanted:
    """Of the tasks that a request starts."""
    spec, given = definition.spec, request.overrides or ecs.TaskOverride()
    containers = spec.container_definitions or ()
    reads = [arn for container in containers for arn in _reads(ctx, container)]
    reads += [file.value for o in given.container_overrides or () for file in o.environment_files or ()]
    return Wanted(
        definition=definition.key,
        task_role=given.task_role_arn or spec.task_role_arn,
        execution_role=given.execution_role_arn or spec.execution_role_arn,
        reads=tuple(dict.fromkeys(reads)),
        task_actions=AGENT_ACTIONS if request.enable_execute_command else (),
        log_groups=tuple(name for container in containers if (name := _created_group(container.log_configuration))),
    )


def _reads(ctx: Context, container: ecs.ContainerDefinition) -> Iterable[str]:
    log = container.log_configuration
    for secret in (*(container.secrets or ()), *((log.secret_options if log else None) or ())):
        found = parse_reference(secret.value_from)
        if isinstance(found, SecretReference):
            yield _full(ctx, "secretsmanager", "secret:", found.secret)
        else:
            yield _full(ctx, "ssm", "parameter/", found.parameter)
    for file in container.environment_files or ():
        yield file.value
    if container.repository_credentials is not None:
        yield _full(ctx, "secretsmanager", "secret:", container.repository_credentials.credentials_parameter)


def _full(ctx: Context, service: str, kind: str, named: str) -> str:
    """The ARN, where only a name was given."""
    return named if named.startswith("arn:") else arn(service, ctx.region, ctx.account, kind + named.removeprefix("/"))


def _created_group(log: ecs.LogConfiguration | None) -> str | None:
    options = (log.options if log is not None and log.log_driver == "awslogs" else None) or {}
    return options.get("awslogs-group") if options.get("awslogs-create-group", "").lower() == "true" else None
