"""From a task's record and its definition to what an engine is asked to run: pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from tidegate.api import ecs
from tidegate.model.arn import arn, role_arn
from tidegate.model.spec import (
    ContainerSpec,
    HealthCheck,
    NetworkSpec,
    RestartPolicy,
    TaskSpec,
    Ulimit,
)
from tidegate.model.status import Interface
from tidegate.model.task import Task, TaskDefinition
from tidegate.reconcile.task_logs import (
    forward_target,
    log_options,
    log_router,
    log_target,
    router_address,
    router_dependencies,
    router_secrets,
)
from tidegate.reconcile.task_storage import (
    dependencies_of,
    efs_volumes,
    empty_volumes,
    memory_mounts,
    mounts_of,
    storage_gib,
    volumes_from,
)

DEFAULT_STOP_TIMEOUT_SECONDS = 30
DEFAULT_RESTART_ATTEMPT_PERIOD_SECONDS = 300


def build_task_spec(
    task: Task, definition: TaskDefinition, interface: Interface, account: str, region: str
) -> TaskSpec:
    """The definition with the request's overrides applied, and the interface that the task was given."""
    spec = definition.spec
    overrides = task.request.overrides or ecs.TaskOverride()
    by_name = {o.name: o for o in overrides.container_overrides or () if o.name}
    environment = _aws_environment(region)
    built = TaskSpec(
        id=task.id,
        account=account,
        region=region,
        cluster=task.cluster,
        family=definition.family,
        family_revision=definition.number,
        cpu_units=int(overrides.cpu or spec.cpu or 0),
        memory_mib=int(overrides.memory or spec.memory or 0),
        containers=tuple(
            _with_logs(_container(c, by_name.get(c.name or "", ecs.ContainerOverride()), environment), c, spec, task)
            for c in spec.container_definitions or ()
        ),
        network=_network(task, interface, region),
        volumes=empty_volumes(spec),
        efs_volumes=efs_volumes(spec),
        architecture=architecture_of(spec),
        ephemeral_storage_gib=storage_gib(task, definition),
        shares_process_namespace=spec.pid_mode == "task",
        task_role=_role(overrides.task_role_arn or spec.task_role_arn, account, region),
        execution_role=_role(overrides.execution_role_arn or spec.execution_role_arn, account, region),
        launch=task.launch,
        group=task.group,
        service=task.service,
        availability_zone=interface.availability_zone,
    )
    return msgspec.structs.replace(built, containers=tuple(_identify(built, c, task) for c in built.containers))


def _identify(built: TaskSpec, container: ContainerSpec, task: Task) -> ContainerSpec:
    """With its ARN, and the labels that ECS puts on containers, in place of the user's by the same names."""
    uuid = task.container_ids.get(container.name, "")
    labels = {
        "cluster": built.cluster_arn,
        "container-name": container.name,
        "task-arn": built.arn,
        "task-definition-family": built.family,
        "task-definition-version": str(built.family_revision),
    }
    return msgspec.structs.replace(
        container,
        arn=arn("ecs", built.region, built.account, f"container/{built.cluster}/{built.id}/{uuid}"),
        labels=container.labels | {f"com.amazonaws.ecs.{name}": value for name, value in labels.items()},
    )


def _role(named: str | None, account: str, region: str) -> str | None:
    return role_arn(region, account, named) if named else None


def architecture_of(spec: ecs.TaskDefinition) -> Literal["x86_64", "arm64"]:
    """x86_64 or arm64."""
    wanted = spec.runtime_platform.cpu_architecture if spec.runtime_platform else None
    return "arm64" if wanted == "ARM64" else "x86_64"


def _network(task: Task, interface: Interface, region: str) -> NetworkSpec:
    return NetworkSpec(
        interface=interface.id,
        address=interface.address,
        prefix_length=interface.prefix_length,
        gateway=interface.gateway,
        mac=interface.mac,
        hostname=interface.private_dns_name(region),
        security_groups=interface.security_groups,
        published=task.published,
    )


def _aws_environment(region: str) -> dict[str, str]:
    """What Fargate puts into every container."""
    return {"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE", "AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def _with_logs(
    container: ContainerSpec, c: ecs.ContainerDefinition, definition: ecs.TaskDefinition, task: Task
) -> ContainerSpec:
    """With where its output goes, and what it does for that of others."""
    log = c.log_configuration
    return msgspec.structs.replace(
        container,
        environment=router_address(c) | container.environment,
        secrets=container.secrets | router_secrets(c, definition),
        depends_on=container.depends_on + router_dependencies(c, definition),
        log=log_target(log, container.name, task),
        forward=forward_target(c, definition, task),
        router=log_router(c, definition),
        log_driver=log.log_driver if log is not None else "",
        log_options=log_options(log, container.name, task),
        log_secrets=_references(log.secret_options if log is not None else None),
    )


def _container(
    c: ecs.ContainerDefinition, override: ecs.ContainerOverride, environment: dict[str, str]
) -> ContainerSpec:
    linux = c.linux_parameters or ecs.LinuxParameters()
    capabilities = linux.capabilities or ecs.KernelCapabilities()
    return ContainerSpec(
        name=c.name or "",
        image=c.image or "",
        keeps_image_version=c.version_consistency != "disabled",
        essential=c.essential is not False,
        entry_point=c.entry_point or None,
        command=override.command if override.command is not None else c.command or None,
        environment=environment | _pairs(c.environment) | _pairs(override.environment),
        environment_files=_files(
            c.environment_files if override.environment_files is None else override.environment_files
        ),
        secrets=_references(c.secrets),
        repository_credentials=c.repository_credentials.credentials_parameter if c.repository_credentials else None,
        working_directory=c.working_directory,
        user=c.user,
        cpu_units=override.cpu if override.cpu is not None else c.cpu or 0,
        memory_mib=override.memory or c.memory,
        memory_reservation_mib=override.memory_reservation or c.memory_reservation,
        depends_on=dependencies_of(c),
        health_check=_health_check(c.health_check),
        start_timeout_seconds=c.start_timeout,
        stop_timeout_seconds=c.stop_timeout if c.stop_timeout is not None else DEFAULT_STOP_TIMEOUT_SECONDS,
        restart_policy=_restart_policy(c.restart_policy),
        interactive=bool(c.interactive),
        terminal=bool(c.pseudo_terminal),
        readonly_root=bool(c.readonly_root_filesystem),
        init_process=bool(linux.init_process_enabled),
        capabilities_add=capabilities.add or (),
        capabilities_drop=capabilities.drop or (),
        tmpfs=memory_mounts(linux),
        shared_memory_mib=linux.shared_memory_size or None,
        ulimits=tuple(Ulimit(name=u.name, soft=u.soft_limit, hard=u.hard_limit) for u in c.ulimits or ()),
        sysctls={s.namespace: s.value for s in c.system_controls or () if s.namespace and s.value is not None},
        mounts=mounts_of(c),
        volumes_from=volumes_from(c),
        labels=dict(c.docker_labels or {}),
    )


def _pairs(values: tuple[ecs.KeyValuePair, ...] | None) -> dict[str, str]:
    return {pair.name: pair.value or "" for pair in values or () if pair.name}


def _files(files: tuple[ecs.EnvironmentFile, ...] | None) -> tuple[str, ...]:
    return tuple(file.value for file in files or ())


def _references(secrets: tuple[ecs.Secret, ...] | None) -> dict[str, str]:
    return {secret.name: secret.value_from for secret in secrets or ()}


def _health_check(check: ecs.HealthCheck | None) -> HealthCheck | None:
    """None when there is none, or when the image's is switched off by NONE."""
    if check is None or not check.command or check.command[0] == "NONE":
        return None
    kind, *words = check.command
    command = ("/bin/sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words)
    return HealthCheck(
        command=command,
        interval_seconds=check.interval or 30,
        timeout_seconds=check.timeout or 5,
        retries=check.retries or 3,
        start_period_seconds=check.start_period or 0,
    )


def _restart_policy(policy: ecs.ContainerRestartPolicy | None) -> RestartPolicy | None:
    if policy is None or not policy.enabled:
        return None
    return RestartPolicy(
        ignored_exit_codes=policy.ignored_exit_codes or (),
        attempt_period_seconds=policy.restart_attempt_period or DEFAULT_RESTART_ATTEMPT_PERIOD_SECONDS,
    )
