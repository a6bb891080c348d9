"""A task's record as the API shows it: a pure function of the record and its definition."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.spec import DEFAULT_STORAGE_GIB
from tidegate.model.status import ContainerStatus, Health, Interface, LastStatus
from tidegate.model.task import MADE_ROLE, Task
from tidegate.services.ecs.names import cluster_arn, container_arn, task_arn, task_definition_arn
from tidegate.services.ecs.overrides import echo_overrides
from tidegate.services.ecs.platform import platform_version

_ATTACHMENT_STATUS = {
    LastStatus.PROVISIONING: "CREATED",
    LastStatus.PENDING: "ATTACHING",
    LastStatus.ACTIVATING: "ATTACHED",
    LastStatus.RUNNING: "ATTACHED",
    LastStatus.DEACTIVATING: "ATTACHED",
    LastStatus.STOPPING: "ATTACHED",
    LastStatus.DEPROVISIONING: "DETACHING",
    LastStatus.STOPPED: "DELETED",
}
"""Of the network interface, once there is one."""


def describe_task(ctx: Context, task: Task, definition: ecs.TaskDefinition, *, with_tags: bool) -> ecs.Task:
    """The task as DescribeTasks, RunTask and StopTask show it; `definition` is the revision that it runs."""
    request, status = task.request, task.status
    overrides = echo_overrides(request.overrides, definition)
    arn = task_arn(ctx, task.cluster, task.id)
    family, _, revision = task.definition.rpartition(":")
    storage = overrides.ephemeral_storage or definition.ephemeral_storage
    storage_gib = storage.size_in_gi_b if storage else DEFAULT_STORAGE_GIB
    return ecs.Task(
        attachments=(_attachment(task, ctx.region),),
        attributes=_attributes(task, definition),
        availability_zone=status.interface.availability_zone if status.interface else None,
        capacity_provider_name=task.capacity_provider,
        cluster_arn=cluster_arn(ctx, task.cluster),
        connectivity="CONNECTED" if status.connected_at is not None else None,
        connectivity_at=status.connected_at,
        containers=_containers(ctx, task, arn, definition, overrides),
        cpu=overrides.cpu or definition.cpu,
        created_at=status.created_at,
        desired_status=status.desired_status,
        enable_execute_command=bool(request.enable_execute_command),
        ephemeral_storage=ecs.EphemeralStorage(size_in_gi_b=storage_gib),
        execution_stopped_at=status.execution_stopped_at,
        fargate_ephemeral_storage=ecs.TaskEphemeralStorage(size_in_gi_b=storage_gib),
        group=task.group,
        health_status=roll_up_health(status.containers, definition),
        last_status=status.last_status.value,
        launch_type="FARGATE",
        memory=overrides.memory or definition.memory,
        overrides=overrides,
        platform_family="Linux",
        platform_version=platform_version(request),
        pull_started_at=status.pull_started_at,
        pull_stopped_at=status.pull_stopped_at,
        started_at=status.started_at,
        started_by=request.started_by,
        stop_code=status.stop_code,
        stopped_at=status.stopped_at,
        stopped_reason=status.stopped_reason or None,
        stopping_at=status.stopping_at,
        tags=task.tags if with_tags else (),
        task_arn=arn,
        task_definition_arn=task_definition_arn(ctx, family, int(revision)),
        version=status.version,
    )


def roll_up_health(containers: tuple[ContainerStatus, ...], definition: ecs.TaskDefinition) -> Health:
    """
    The task's health, from its essential containers: UNHEALTHY before UNKNOWN before HEALTHY.

    A container without a health check is UNKNOWN, so a task is HEALTHY only if all its essential ones have one.
    Source: API reference, HealthCheck.
    """
    essential = {c.name for c in definition.container_definitions or () if c.essential is not False}
    health = {container.health for container in containers if container.name in essential}
    if "UNHEALTHY" in health:
        return "UNHEALTHY"
    return "HEALTHY" if health == {"HEALTHY"} else "UNKNOWN"


def _containers(
    ctx: Context, task: Task, arn: str, definition: ecs.TaskDefinition, overrides: ecs.TaskOverride
) -> tuple[ecs.Container, ...]:
    known = {status.name: status for status in task.status.containers}
    interfaces = _container_interfaces(task.status.interface)
    return tuple(
        _container(ctx, task, arn, spec, override, known.get(spec.name or ""), interfaces)
        for spec, override in zip(
            definition.container_definitions or (), overrides.container_overrides or (), strict=True
        )
    )


def _container(
    ctx: Context,
    task: Task,
    arn: str,
    spec: ecs.ContainerDefinition,
    override: ecs.ContainerOverride,
    known: ContainerStatus | None,
    interfaces: tuple[ecs.NetworkInterface, ...],
) -> ecs.Container:
    name = spec.name or ""
    status = known or ContainerStatus(name=name)
    return ecs.Container(
        container_arn=container_arn(ctx, task.cluster, task.id, task.container_ids.get(name, "")),
        task_arn=arn,
        name=name,
        image=spec.image,
        image_digest=status.image_digest or None,
        runtime_id=status.runtime_id or None,
        last_status=status.state,
        exit_code=status.exit_code,
        reason=status.reason or None,
        network_bindings=(),
        network_interfaces=interfaces,
        health_status=status.health,
        managed_agents=(_exec_agent(status),) if task.request.enable_execute_command else None,
        cpu=str(override.cpu if override.cpu is not None else spec.cpu or 0),
        memory=_text(override.memory or spec.memory),
        memory_reservation=_text(override.memory_reservation or spec.memory_reservation),
    )


def _exec_agent(status: ContainerStatus) -> ecs.ManagedAgent:
    """There is no process of its own: whoever reaches the server reaches a container that runs."""
    started_at = status.last_started_at if status.state == "RUNNING" else None
    return ecs.ManagedAgent(name="ExecuteCommandAgent", last_status=status.state, last_started_at=started_at)


def _container_interfaces(interface: Interface | None) -> tuple[ecs.NetworkInterface, ...]:
    if interface is None:
        return ()
    return (ecs.NetworkInterface(attachment_id=interface.attachment, private_ipv4_address=interface.address),)


def _attachment(task: Task, region: str) -> ecs.Attachment:
    """The network interface's: before it exists, only the subnet in which it is tried first."""
    interface = task.status.interface
    if interface is None:
        details = {"subnetId": task.subnets[0]} if task.subnets else {}
        status = "DELETED" if task.status.last_status is LastStatus.STOPPED else "PRECREATED"
    else:
        status = _ATTACHMENT_STATUS[task.status.last_status]
        details = {
            "subnetId": interface.subnet,
            "networkInterfaceId": interface.id,
            "macAddress": interface.mac,
            "privateDnsName": interface.private_dns_name(region),
            "privateIPv4Address": interface.address,
        }
    return ecs.Attachment(
        id=task.attachment,
        type="ElasticNetworkInterface",
        status=status,
        details=tuple(ecs.KeyValuePair(name=name, value=value) for name, value in details.items()),
    )


def _attributes(task: Task, definition: ecs.TaskDefinition) -> tuple[ecs.Attribute, ...]:
    """Where it runs, and which of its roles Tidegate made."""
    made = (task.made_roles or {}).items()
    return (
        ecs.Attribute(name="ecs.cpu-architecture", value=_architecture(definition)),
        *(ecs.Attribute(name=f"{MADE_ROLE}{kind}", value=name) for kind, name in made),
    )


def _architecture(definition: ecs.TaskDefinition) -> str:
    platform = definition.runtime_platform
    return "arm64" if platform is not None and platform.cpu_architecture == "ARM64" else "x86_64"


def _text(number: int | None) -> str | None:
    return str(number) if number else None
