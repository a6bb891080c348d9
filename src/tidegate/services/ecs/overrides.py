"""What RunTask may change about a task definition, and how it is shown again."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from tidegate.api import ecs
from tidegate.services.ecs.definitions.containers import check_containers
from tidegate.services.ecs.definitions.fargate import check_fargate
from tidegate.services.ecs.definitions.normalise import is_windows
from tidegate.services.ecs.definitions.roles import check_roles
from tidegate.services.ecs.definitions.secrets import check_secrets
from tidegate.services.ecs.definitions.sizes import check_fargate_size, parse_cpu, parse_memory
from tidegate.services.ecs.definitions.unsupported import check_supported

MAX_CHARACTERS = 8192

_NOTHING = ecs.TaskOverride()


def check_overrides(overrides: ecs.TaskOverride | None, definition: ecs.TaskDefinition) -> ecs.TaskOverride | None:
    """
    The overrides with `cpu` and `memory` as plain units and MiB.

    What comes out of them must be a definition that could be registered for Fargate: the same rules are asked, so
    they raise ClientException; InvalidParameterException for overrides that can't be applied. Source of the limit:
    RunTask's model text.
    """
    if overrides is None:
        return None
    if len(msgspec.json.encode(overrides).decode()) > MAX_CHARACTERS:
        raise ecs.InvalidParameterException(f"Task overrides can have at most {MAX_CHARACTERS} characters.")
    if overrides.inference_accelerator_overrides:
        raise ecs.InvalidParameterException("Tasks using the Fargate launch type do not support inference accelerators")
    _check_names(overrides.container_overrides or (), definition)
    check_roles(overrides.task_role_arn, overrides.execution_role_arn)
    checked = replace(
        overrides,
        cpu=None if overrides.cpu is None else str(parse_cpu(overrides.cpu)),
        memory=None if overrides.memory is None else str(parse_memory(overrides.memory)),
    )
    result = _apply(checked, definition)
    check_fargate_size(result.cpu, result.memory, windows=is_windows(result.runtime_platform))
    check_containers(result)
    check_secrets(result)
    check_fargate(result)
    check_supported(result)
    return checked


def echo_overrides(overrides: ecs.TaskOverride | None, definition: ecs.TaskDefinition) -> ecs.TaskOverride:
    """As a task shows them: an entry for every container of the definition, even if nothing was changed."""
    given = overrides or _NOTHING
    by_name = {each.name: each for each in given.container_overrides or ()}
    return replace(
        given,
        container_overrides=tuple(
            by_name.get(c.name) or ecs.ContainerOverride(name=c.name) for c in definition.container_definitions or ()
        ),
        inference_accelerator_overrides=(),
    )


def _check_names(overrides: Iterable[ecs.ContainerOverride], definition: ecs.TaskDefinition) -> None:
    names = {container.name for container in definition.container_definitions or ()}
    seen = set()
    for override in overrides:
        if not override.name:
            raise ecs.InvalidParameterException("Container.name should not be null or empty.")
        if override.name not in names:
            raise ecs.InvalidParameterException(
                f"Override for container named {override.name} is not a container in the TaskDefinition."
            )
        if override.name in seen:
            raise ecs.InvalidParameterException(
                f"Override for container named {override.name} is given more than once."
            )
        seen.add(override.name)


def _apply(overrides: ecs.TaskOverride, definition: ecs.TaskDefinition) -> ecs.TaskDefinition:
    """The definition as if it had been registered like that."""
    by_name = {override.name: override for override in overrides.container_overrides or ()}
    return replace(
        definition,
        cpu=overrides.cpu or definition.cpu,
        memory=overrides.memory or definition.memory,
        ephemeral_storage=overrides.ephemeral_storage or definition.ephemeral_storage,
        execution_role_arn=overrides.execution_role_arn or definition.execution_role_arn,
        task_role_arn=overrides.task_role_arn or definition.task_role_arn,
        container_definitions=tuple(
            _apply_to_container(by_name[container.name], container) if container.name in by_name else container
            for container in definition.container_definitions or ()
        ),
    )


def _apply_to_container(override: ecs.ContainerOverride, container: ecs.ContainerDefinition) -> ecs.ContainerDefinition:
    """The environment is merged by name; all else that the override has replaces what was there."""
    changes = {
        "command": override.command,
        "cpu": override.cpu,
        "environment_files": override.environment_files,
        "memory": override.memory,
        "memory_reservation": override.memory_reservation,
        "resource_requirements": override.resource_requirements,
    }
    given = {pair.name for pair in override.environment or ()}
    kept = tuple(pair for pair in container.environment or () if pair.name not in given)
    return replace(
        container,
        environment=kept + (override.environment or ()),
        **{name: value for name, value in changes.items() if value is not None},
    )
