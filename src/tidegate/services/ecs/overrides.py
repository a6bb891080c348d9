"""What RunTask may change about a task definition, and how it is shown again."""

from __future__ import annotations

import msgspec

from tidegate.api import ecs
from tidegate.services.ecs.definitions.containers import check_containers
from tidegate.services.ecs.definitions.sizes import check_fargate_size, parse_cpu, parse_memory

MAX_CHARACTERS = 8192
MIN_EPHEMERAL_GIB, MAX_EPHEMERAL_GIB = 21, 200

_NOTHING = ecs.TaskOverride()


def check_overrides(overrides: ecs.TaskOverride | None, definition: ecs.TaskDefinition) -> ecs.TaskOverride | None:
    """
    The overrides with `cpu` and `memory` as plain units and MiB; raises what RunTask answers if they are not valid.

    Sources: RunTask's model text (8192 characters), and the rules for a definition, which hold for what comes out.
    """
    if overrides is None:
        return None
    if len(msgspec.json.encode(overrides).decode()) > MAX_CHARACTERS:
        raise ecs.InvalidParameterException(f"Task overrides can have at most {MAX_CHARACTERS} characters.")
    if overrides.inference_accelerator_overrides:
        raise ecs.InvalidParameterException("Tasks using the Fargate launch type do not support inference accelerators")
    _check_ephemeral(overrides.ephemeral_storage)
    checked = msgspec.structs.replace(
        overrides,
        cpu=None if overrides.cpu is None else str(parse_cpu(overrides.cpu)),
        memory=None if overrides.memory is None else str(parse_memory(overrides.memory)),
    )
    if checked.cpu or checked.memory:
        check_fargate_size(checked.cpu or definition.cpu, checked.memory or definition.memory)
    _check_containers(checked, definition)
    return checked


def echo_overrides(overrides: ecs.TaskOverride | None, definition: ecs.TaskDefinition) -> ecs.TaskOverride:
    """As a task shows them: an entry for every container of the definition, even if nothing was changed."""
    given = overrides or _NOTHING
    by_name = {each.name: each for each in given.container_overrides or ()}
    return msgspec.structs.replace(
        given,
        container_overrides=tuple(
            by_name.get(c.name) or ecs.ContainerOverride(name=c.name) for c in definition.container_definitions or ()
        ),
        inference_accelerator_overrides=(),
    )


def _check_ephemeral(storage: ecs.EphemeralStorage | None) -> None:
    if storage is None:
        return
    if storage.size_in_gi_b < MIN_EPHEMERAL_GIB:
        raise ecs.ClientException(f"EphemeralStorage size should be at least {MIN_EPHEMERAL_GIB}")
    if storage.size_in_gi_b > MAX_EPHEMERAL_GIB:
        raise ecs.ClientException(f"EphemeralStorage size should be at most {MAX_EPHEMERAL_GIB}")


def _check_containers(overrides: ecs.TaskOverride, definition: ecs.TaskDefinition) -> None:
    """Names and members of the container overrides, then the containers as they would be."""
    containers = {c.name: c for c in definition.container_definitions or ()}
    seen = set()
    for override in overrides.container_overrides or ():
        if not override.name:
            raise ecs.InvalidParameterException("Container.name should not be null or empty.")
        if override.name not in containers:
            raise ecs.InvalidParameterException(
                f"Override for container named {override.name} is not a container in the TaskDefinition."
            )
        if override.name in seen:
            raise ecs.InvalidParameterException(
                f"Override for container named {override.name} is given more than once."
            )
        seen.add(override.name)
        containers[override.name] = _apply(override, containers[override.name])
    if any(_changes_size(o) for o in overrides.container_overrides or ()) or overrides.memory:
        check_containers(tuple(containers.values()), overrides.memory or definition.memory)


def _apply(override: ecs.ContainerOverride, container: ecs.ContainerDefinition) -> ecs.ContainerDefinition:
    """The container with the override's sizes and environment; what Tidegate can't do is refused."""
    if override.environment_files:
        raise ecs.ClientException("cannot override environmentFiles: files in S3 are not supported yet")
    if any(r.type == "GPU" for r in override.resource_requirements or ()):
        raise ecs.ClientException("Tasks using the Fargate launch type do not support GPU resource requirements")
    if override.resource_requirements:
        raise ecs.ClientException("Tasks using the Fargate launch type do not support resource requirements")
    if any(not pair.name for pair in override.environment or ()):
        raise ecs.InvalidParameterException("Environment variable name should not be null or empty.")
    if override.cpu is not None and override.cpu < 0:
        raise ecs.InvalidParameterException(f"Invalid setting for container '{override.name}'. 'cpu' is negative.")
    return msgspec.structs.replace(
        container,
        cpu=container.cpu if override.cpu is None else override.cpu,
        memory=container.memory if override.memory is None else override.memory,
        memory_reservation=(
            container.memory_reservation if override.memory_reservation is None else override.memory_reservation
        ),
    )


def _changes_size(override: ecs.ContainerOverride) -> bool:
    return (override.cpu, override.memory, override.memory_reservation) != (None, None, None)
