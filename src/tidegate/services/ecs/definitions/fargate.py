"""
The rules that hold on Fargate alone, with AWS's texts.

Source: Developer Guide, "Task definition parameters for Fargate" and "Task definition differences for Fargate"; texts
as observed at RegisterTaskDefinition. One rule of AWS is left out on purpose: Tidegate has `sharedMemorySize`.
"""

from __future__ import annotations

import re

from tidegate.api import ecs
from tidegate.services.ecs.definitions.containers import is_ecr_image
from tidegate.services.ecs.definitions.normalise import is_windows
from tidegate.services.ecs.definitions.sizes import check_fargate_size

LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS = 2, 120
MIN_STORAGE_GIB, MAX_STORAGE_GIB = 21, 200
MAX_OPEN_FILES = 1_048_576

_TASKS = "Tasks using the Fargate launch type"
_DEFINITIONS = "Fargate compatible task definitions do not support"
_ROLE = "Fargate requires task definition to have execution role ARN to support"
_WINDOWS = re.compile(r"WINDOWS_SERVER_(2019|2022|2025)_(FULL|CORE)")


def check_fargate(definition: ecs.TaskDefinition) -> None:
    """Refuse a definition in normal form that Fargate would. Raises ClientException."""
    _check_size(definition)
    _check_task(definition)
    _check_platform(definition.runtime_platform or ecs.RuntimePlatform())
    for container in definition.container_definitions or ():
        _check_container(container)
        _check_linux(container)
        _check_timeouts(container)
        _check_logs(container, definition.execution_role_arn)
        if is_ecr_image(container.image) and not definition.execution_role_arn:
            raise ecs.ClientException(f"{_ROLE} ECR images.")
    _check_sums(definition)


def check_task_size(definition: ecs.TaskDefinition) -> None:
    """What is wrong with the task is told before what is wrong with a container of it. Raises ClientException."""
    if "FARGATE" in (definition.requires_compatibilities or ()):
        _check_size(definition)


def _check_size(definition: ecs.TaskDefinition) -> None:
    if definition.network_mode != "awsvpc":
        raise ecs.ClientException("Fargate only supports network mode ‘awsvpc’.")
    check_fargate_size(definition.cpu, definition.memory, windows=is_windows(definition.runtime_platform))


def _check_task(definition: ecs.TaskDefinition) -> None:
    if definition.pid_mode not in (None, "task"):
        raise ecs.ClientException(
            f"{_TASKS} do not support pidMode '{definition.pid_mode}'. The supported value for pidMode is 'task'."
        )
    if definition.ipc_mode is not None:
        raise ecs.ClientException(f"{_DEFINITIONS} ipcMode")
    if definition.placement_constraints:
        raise ecs.ClientException(f"{_DEFINITIONS} constraints")
    for volume in definition.volumes or ():
        if volume.host is not None and volume.host.source_path:
            raise ecs.ClientException(f"{_DEFINITIONS} sourcePath")
        if volume.docker_volume_configuration is not None:
            raise ecs.ClientException(f"{_DEFINITIONS} dockerVolumeConfiguration")
    if definition.ephemeral_storage is not None:
        size = definition.ephemeral_storage.size_in_gi_b
        if size < MIN_STORAGE_GIB:
            raise ecs.ClientException(f"EphemeralStorage size should be at least {MIN_STORAGE_GIB}")
        if size > MAX_STORAGE_GIB:
            raise ecs.ClientException(f"EphemeralStorage size should be at most {MAX_STORAGE_GIB}")


def _check_platform(platform: ecs.RuntimePlatform) -> None:
    family = platform.operating_system_family or "LINUX"
    if family != "LINUX" and not _WINDOWS.fullmatch(family):
        raise ecs.ClientException(f"{_TASKS} do not support operatingSystemFamily '{family}'.")
    if family != "LINUX" and platform.cpu_architecture == "ARM64":
        raise ecs.ClientException(f"{_TASKS} do not support cpuArchitecture 'ARM64' with '{family}'.")


def _check_container(container: ecs.ContainerDefinition) -> None:
    if container.privileged:
        raise ecs.ClientException("Fargate requires that the 'privileged' setting be 'false'")
    if container.docker_security_options:
        raise ecs.ClientException(f"{_DEFINITIONS} dockerSecurityOptions")
    for requirement in container.resource_requirements or ():
        raise ecs.ClientException(f"{_TASKS} do not support {requirement.type} resource requirements")
    for ulimit in container.ulimits or ():
        if ulimit.name == "nofile" and not 0 <= ulimit.hard_limit <= MAX_OPEN_FILES:
            raise ecs.ClientException(f"{_TASKS} support at most {MAX_OPEN_FILES} for the ulimit nofile.")


def _check_linux(container: ecs.ContainerDefinition) -> None:
    linux = container.linux_parameters
    if linux is None:
        return
    for capability in (linux.capabilities or ecs.KernelCapabilities()).add or ():
        if capability != "SYS_PTRACE":
            raise ecs.ClientException(f"{capability} is not allowed on Fargate.")
    for name, value in (("maxSwap", linux.max_swap), ("swappiness", linux.swappiness)):
        if value is not None:
            raise ecs.ClientException(f"{_DEFINITIONS} {name}")
    if linux.devices:
        raise ecs.ClientException(f"{_DEFINITIONS} devices")


def _check_timeouts(container: ecs.ContainerDefinition) -> None:
    for word, seconds in (("start", container.start_timeout), ("stop", container.stop_timeout)):
        if seconds is not None and seconds > MAX_TIMEOUT_SECONDS:
            raise ecs.ClientException(
                f"{_TASKS} must have a container {word} timeout of less than {MAX_TIMEOUT_SECONDS} seconds."
            )
        if seconds is not None and seconds < MIN_TIMEOUT_SECONDS:
            raise ecs.ClientException(
                f"{_TASKS} must have a container {word} timeout of at least {MIN_TIMEOUT_SECONDS} seconds."
            )


def _check_logs(container: ecs.ContainerDefinition, execution_role: str | None) -> None:
    firelens = container.firelens_configuration
    if firelens is not None and (firelens.options or {}).get("config-file-type") == "s3":
        raise ecs.ClientException("Fargate only supports the 'file' config-file-type of firelensConfiguration")
    log = container.log_configuration
    if log is None:
        return
    if log.log_driver not in LOG_DRIVERS:
        raise ecs.ClientException(
            f"{log.log_driver} is not a valid log driver. Must be one of [{', '.join(LOG_DRIVERS)}]"
        )
    if log.log_driver != "awslogs":
        return
    if not (log.options or {}).get("awslogs-stream-prefix"):
        raise ecs.ClientException("Fargate requires log configuration options to include awslogs-stream-prefix")
    if not execution_role:
        raise ecs.ClientException(f"{_ROLE} log driver awslogs.")


def _check_sums(definition: ecs.TaskDefinition) -> None:
    containers = definition.container_definitions or ()
    cpu = sum(container.cpu or 0 for container in containers)
    memory = sum(container.memory or container.memory_reservation or 0 for container in containers)
    for name, total, limit in (("cpu", cpu, definition.cpu), ("memory", memory, definition.memory)):
        if total > int(limit or 0):
            raise ecs.ClientException(
                f"The sum of all container '{name}' values cannot be greater than the task-level '{name}' value"
            )
