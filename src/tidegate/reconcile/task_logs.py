"""Where the output of a task's containers goes, by their log configurations: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.api import ecs
from tidegate.model.log_options import (
    DEFAULT_BUFFER,
    DEFAULT_FORWARD_LINES,
    FIRELENS_OWN_OPTIONS,
    LINE_BYTES,
    find_event_start,
    read_size,
)
from tidegate.model.spec import Dependency, ForwardTarget, LogRouter, LogTarget, RouterOutput
from tidegate.model.task import Task

_NOT_OF_A_VARIABLE = re.compile(r"[^A-Za-z0-9_]")


def log_target(log: ecs.LogConfiguration | None, container: str, task: Task) -> LogTarget | None:
    """For awslogs."""
    if log is None or log.log_driver != "awslogs":
        return None
    options = log.options or {}
    return LogTarget(
        group=options.get("awslogs-group", ""),
        stream=_log_stream(options, container, task),
        create_group=options.get("awslogs-create-group", "").lower() == "true",
        begins_event=find_event_start(options),
        is_blocking=options.get("mode", task.log_mode) == "blocking",
        max_buffer_bytes=read_size(options.get("max-buffer-size", DEFAULT_BUFFER)),
    )


def log_options(log: ecs.LogConfiguration | None, container: str, task: Task) -> dict[str, str]:
    """As the container is told of them by its metadata."""
    options = dict((log.options if log is not None else None) or {})
    if log is not None and log.log_driver == "awslogs":
        options["awslogs-stream"] = _log_stream(options, container, task)
        options.pop("awslogs-stream-prefix", None)
    return options


def forward_target(c: ecs.ContainerDefinition, definition: ecs.TaskDefinition, task: Task) -> ForwardTarget | None:
    """For awsfirelens: the task's log router. A fluentd router's socket is one that does not acknowledge."""
    log, router = c.log_configuration, find_router(definition)
    if log is None or log.log_driver != "awsfirelens" or router is None or router.firelens_configuration is None:
        return None
    options = log.options or {}
    lines = int(options.get("log-driver-buffer-limit") or DEFAULT_FORWARD_LINES)
    size = options.get("max-buffer-size")
    return ForwardTarget(
        tag=f"{c.name}-firelens-{task.id}",
        has_acknowledgements=router.firelens_configuration.type == "fluentbit",
        is_blocking=options.get("mode", task.log_mode) == "blocking",
        max_buffer_bytes=read_size(size) if size else lines * LINE_BYTES,
    )


def log_router(c: ecs.ContainerDefinition, definition: ecs.TaskDefinition) -> LogRouter | None:
    """What a container with a firelensConfiguration does for the others."""
    firelens = c.firelens_configuration
    if firelens is None:
        return None
    options = firelens.options or {}
    return LogRouter(
        kind=firelens.type,
        adds_metadata=options.get("enable-ecs-log-metadata", "true") != "false",
        include=options.get("config-file-value", ""),
        outputs=tuple(
            RouterOutput(
                container=user.name or "",
                options={k: v for k, v in (_options(user)).items() if k not in FIRELENS_OWN_OPTIONS},
                secrets=dict(_variables(user, position)),
            )
            for position, user in _users(definition)
        ),
    )


def router_secrets(c: ecs.ContainerDefinition, definition: ecs.TaskDefinition) -> dict[str, str]:
    """Variables of a router's environment, and what they are read from: the secretOptions of those it serves."""
    if c.firelens_configuration is None:
        return {}
    found: dict[str, str] = {}
    for position, user in _users(definition):
        variables = dict(_variables(user, position))
        log = user.log_configuration
        for secret in (log.secret_options if log is not None else None) or ():
            found[variables[secret.name]] = secret.value_from
    return found


def router_address(c: ecs.ContainerDefinition) -> dict[str, str]:
    """What who uses a log router is told of it, to send it records of its own."""
    return {"FLUENT_HOST": "127.0.0.1", "FLUENT_PORT": "24224"} if uses_router(c) else {}


def router_dependencies(c: ecs.ContainerDefinition, definition: ecs.TaskDefinition) -> tuple[Dependency, ...]:
    """START on the log router, for who uses it (ECS agent, dependency graph)."""
    router = find_router(definition)
    if router is None or not uses_router(c) or any(d.container_name == router.name for d in c.depends_on or ()):
        return ()
    return (Dependency(container=router.name or "", condition="START"),)


def uses_router(c: ecs.ContainerDefinition) -> bool:
    """Its output goes to the task's log router."""
    return c.log_configuration is not None and c.log_configuration.log_driver == "awsfirelens"


def find_router(definition: ecs.TaskDefinition) -> ecs.ContainerDefinition | None:
    """The container that routes the others' output."""
    containers = definition.container_definitions or ()
    return next((c for c in containers if c.firelens_configuration is not None), None)


def _users(definition: ecs.TaskDefinition) -> list[tuple[int, ecs.ContainerDefinition]]:
    """With their places among all containers, by which variables are told apart."""
    return [(n, c) for n, c in enumerate(definition.container_definitions or ()) if uses_router(c)]


def _options(c: ecs.ContainerDefinition) -> dict[str, str]:
    return (c.log_configuration.options if c.log_configuration is not None else None) or {}


def _variables(c: ecs.ContainerDefinition, position: int) -> list[tuple[str, str]]:
    secrets = (c.log_configuration.secret_options if c.log_configuration is not None else None) or ()
    return [(s.name, f"{_NOT_OF_A_VARIABLE.sub('_', s.name)}_{position}") for s in secrets]


def _log_stream(options: Mapping[str, str], container: str, task: Task) -> str:
    prefix = options.get("awslogs-stream-prefix")
    return f"{prefix}/{container}/{task.id}" if prefix else f"{container}/{task.id}"
