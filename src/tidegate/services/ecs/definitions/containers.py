"""
Rules for the list of containers and for what names, sizes and starts each of them, whoever runs it.

Every check takes the normal form and raises ClientException. Texts without a known source are our own; the parity
reference says which.
"""

from __future__ import annotations

import re

from tidegate.api import ecs

MAX_CONTAINERS = 10
MIN_MEMORY_MIB = 6
MAX_IGNORED_EXIT_CODES = 50

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_IMAGE = re.compile(r"(?P<name>[A-Za-z0-9_.:/#-]+)(?P<digest>@sha256:[A-Fa-f0-9]{64})?")
_MAX_IMAGE = 255
_ECR = re.compile(r"[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/.+")
_USER = re.compile(r"[^\s:\x00-\x1f\x7f]{1,255}(:[^\s:\x00-\x1f\x7f]{1,255})?")


def check_family(family: str) -> None:
    """1-255 letters, digits, `_` and `-`."""
    if not _NAME.fullmatch(family):
        raise ecs.ClientException("Family contains invalid characters.")


def check_containers(definition: ecs.TaskDefinition) -> None:
    """Refuse a list of containers, or a container, that no launch type can run."""
    containers = definition.container_definitions or ()
    if not containers:
        raise ecs.ClientException("Container list cannot be empty.")
    if len(containers) > MAX_CONTAINERS:
        raise ecs.ClientException("Too many containers")
    for container in containers:
        _check_name_and_image(container)
    names = [container.name for container in containers]
    if len(set(names)) != len(names):
        raise ecs.ClientException("Container names must be unique within a task definition.")
    if not any(container.essential for container in containers):
        raise ecs.ClientException("Task definition doesn't have any essential container")
    if definition.memory is None and "FARGATE" not in (definition.requires_compatibilities or ()):
        check_memory_given(containers)
    for container in containers:
        _check_numbers(container, definition.memory)
        _check_user(container)
        _check_strings(container)
        _check_environment(container)
        _check_restart_policy(container)


def is_ecr_image(image: str | None) -> bool:
    """Whether AWS would pull the image from a private registry of its own."""
    return _ECR.fullmatch(image or "") is not None


def check_memory_given(containers: tuple[ecs.ContainerDefinition, ...]) -> None:
    """Refuse a container that says nothing of its memory, as each must where the task doesn't."""
    for container in containers:
        if container.memory is None and container.memory_reservation is None:
            raise ecs.ClientException(
                f"Invalid setting for container '{container.name}'. "
                "At least one of 'memory' or 'memoryReservation' must be specified."
            )


def _check_name_and_image(container: ecs.ContainerDefinition) -> None:
    if not container.name:
        raise ecs.ClientException("Container.name should not be null or empty.")
    if not _NAME.fullmatch(container.name):
        raise ecs.ClientException("Container.name contains invalid characters.")
    if not container.image:
        raise ecs.ClientException("Container.image should not be null or empty.")
    match = _IMAGE.fullmatch(container.image)
    if match is None:
        raise ecs.ClientException("Container.image contains invalid characters.")
    if len(match["name"]) > _MAX_IMAGE:
        raise ecs.ClientException(f"Container.image cannot be longer than {_MAX_IMAGE} characters.")


def _check_numbers(container: ecs.ContainerDefinition, task_memory: str | None) -> None:
    limit, reservation = container.memory, container.memory_reservation
    setting = f"Invalid setting for container '{container.name}'."
    if container.cpu is not None and container.cpu < 0:
        raise ecs.ClientException(f"{setting} 'cpu' must not be negative.")
    for name, value in (("memory", limit), ("memoryReservation", reservation)):
        if value is not None and value < MIN_MEMORY_MIB:
            raise ecs.ClientException(f"{setting} '{name}' must be at least {MIN_MEMORY_MIB}.")
    # AWS's reference says "greater than"; equal values are seen to be accepted.
    if limit is not None and reservation is not None and limit < reservation:
        raise ecs.ClientException(f"{setting} 'memory' must be greater than or equal to 'memoryReservation'.")
    if limit is not None and task_memory is not None and limit > int(task_memory):
        raise ecs.ClientException(f"The 'memory' setting for container '{container.name}' is greater than for the task")


def _check_strings(container: ecs.ContainerDefinition) -> None:
    check = container.health_check
    texts = (
        *(container.entry_point or ()),
        *(container.command or ()),
        *(check.command if check is not None else ()),
        container.working_directory or "",
        *(container.docker_labels or {}),
        *(container.docker_labels or {}).values(),
    )
    if any("\0" in text for text in texts):
        raise ecs.ClientException(
            f"Invalid setting for container '{container.name}'. Text must not contain a null character."
        )


def _check_user(container: ecs.ContainerDefinition) -> None:
    if container.user and not _USER.fullmatch(container.user):
        raise ecs.ClientException(
            f"Invalid setting for container '{container.name}'. "
            "'user' must be one of user, user:group, uid, uid:gid, user:gid, uid:group."
        )


def _check_environment(container: ecs.ContainerDefinition) -> None:
    taken = set()
    for variable in container.environment or ():
        if not variable.name or "=" in variable.name or "\0" in variable.name + (variable.value or ""):
            raise ecs.ClientException(
                f"Invalid setting for container '{container.name}'. An environment variable's name must not be "
                "empty or contain '=', and neither name nor value may contain a null character."
            )
        taken.add(variable.name)
    for secret in container.secrets or ():
        if secret.name in taken:
            raise ecs.ClientException(
                "The secret name must be unique and not shared with any new or existing environment variables "
                f"set on the container, such as '{secret.name}'."
            )
        taken.add(secret.name)


def _check_restart_policy(container: ecs.ContainerDefinition) -> None:
    policy = container.restart_policy
    if policy is None:
        return
    if policy.restart_attempt_period is not None and not 60 <= policy.restart_attempt_period <= 1800:
        raise ecs.ClientException(
            f"the 'restartAttemptPeriod' setting for container '{container.name}' must be between 60 and 1800"
        )
    if len(policy.ignored_exit_codes or ()) > MAX_IGNORED_EXIT_CODES:
        raise ecs.ClientException(
            f"the 'ignoredExitCodes' setting for container '{container.name}' must have at most "
            f"{MAX_IGNORED_EXIT_CODES} entries"
        )
