"""The task definition that `tidegate run` registers: one container, its output kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

from tidegate.api import ecs
from tidegate.cli.ports import Port

EXECUTION_ROLE = "tidegate-run"
"""Fargate wants one for awslogs. It is made at the first run, unless the server is strict about roles."""
HEALTH_INTERVAL_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line says of the container."""

    image: str
    arguments: tuple[str, ...]
    name: str | None
    cpu: str
    memory: str
    publish: tuple[Port, ...]
    env: tuple[str, ...]
    entrypoint: str | None
    user: str | None
    workdir: str | None
    health_cmd: str | None
    read_only: bool
    init: bool
    task_role: str | None = None
    execution_role: str = EXECUTION_ROLE


def family_of(image: str) -> str:
    """A family name from an image's: its last part, without tag and digest."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", last).strip("-") or "task"


def plan_definition(options: RunOptions, region: str) -> ecs.RegisterTaskDefinitionRequest:
    """What to register. Raises click.BadParameter."""
    family = options.name or family_of(options.image)
    health = options.health_cmd
    container = ecs.ContainerDefinition(
        name=family,
        image=options.image,
        essential=True,
        command=options.arguments or None,
        entry_point=(options.entrypoint,) if options.entrypoint else None,
        environment=tuple(_variable(text) for text in options.env),
        user=options.user,
        working_directory=options.workdir,
        readonly_root_filesystem=options.read_only or None,
        linux_parameters=ecs.LinuxParameters(init_process_enabled=True) if options.init else None,
        health_check=ecs.HealthCheck(command=("CMD-SHELL", health), interval=HEALTH_INTERVAL_SECONDS)
        if health
        else None,
        port_mappings=tuple(port.mapping() for port in options.publish),
        log_configuration=_log(family, region),
    )
    return ecs.RegisterTaskDefinitionRequest(
        family=family,
        requires_compatibilities=("FARGATE",),
        network_mode="awsvpc",
        cpu=options.cpu,
        memory=options.memory,
        task_role_arn=options.task_role,
        execution_role_arn=options.execution_role,
        container_definitions=(container,),
    )


def _log(family: str, region: str) -> ecs.LogConfiguration:
    return ecs.LogConfiguration(
        log_driver="awslogs",
        options={
            "awslogs-group": f"/tidegate/{family}",
            "awslogs-region": region,
            "awslogs-stream-prefix": "run",
            "awslogs-create-group": "true",
        },
    )


def _variable(text: str) -> ecs.KeyValuePair:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise click.BadParameter(f"`{text}` is not NAME=VALUE", param_hint="--env")
    return ecs.KeyValuePair(name=name, value=value)
