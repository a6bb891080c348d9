"""
The way of one registration through the rules: from the request to what will be stored, or the first refusal.

Pure. The order is ours (AWS tells one fault at a time, in an order of its own): form, then what holds for every
launch type, then Fargate's rules, then what Tidegate can't honour yet.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from tidegate.api import ecs
from tidegate.services.ecs.definitions import (
    compatibilities,
    containers,
    dependencies,
    fargate,
    linux,
    logs,
    network,
    placement,
    ports,
    roles,
    secrets,
    unsupported,
    volumes,
)
from tidegate.services.ecs.definitions.normalise import normalise
from tidegate.services.ecs.tag_rules import MAX_TAGS, check_tags, too_many

MAX_BYTES = 65_536
"""Of a task definition as JSON."""


def accept(request: ecs.RegisterTaskDefinitionRequest) -> ecs.TaskDefinition:
    """
    The definition in normal form, with what it qualifies for.

    Lacks what registration alone can give: ARN, revision, status, time and author. Raises ClientException, and
    InvalidParameterException for a malformed tag.
    """
    containers.check_family(request.family)
    _check_tags(request.tags)
    _check_size(request)
    definition = normalise(request)
    _check(definition)
    definition = replace(definition, compatibilities=compatibilities.find_compatibilities(definition))
    if "FARGATE" in (definition.compatibilities or ()):
        unsupported.check_supported(definition)
    return replace(definition, requires_attributes=compatibilities.find_attributes(definition))


def _check(definition: ecs.TaskDefinition) -> None:
    if definition.inference_accelerators:
        raise ecs.ClientException("Unsupported field 'inferenceAccelerators'")
    defined = definition.container_definitions or ()
    roles.check_roles(definition.task_role_arn, definition.execution_role_arn)
    placement.check_constraints(definition)
    fargate.check_task_size(definition)
    containers.check_containers(definition)
    network.check_network(definition)
    ports.check_ports(defined, definition.network_mode)
    dependencies.check_health_checks(defined)
    dependencies.check_dependencies(defined)
    volumes.check_volumes(definition)
    linux.check_linux(definition)
    logs.check_logs(definition)
    secrets.check_secrets(definition)


def _check_tags(tags: tuple[ecs.Tag, ...] | None) -> None:
    if tags is None:
        return
    if not tags:
        raise ecs.ClientException("Tags can not be empty.")
    if too_many(check_tags(tags)):
        raise ecs.ClientException(f"A task definition can have at most {MAX_TAGS} tags.")


def _check_size(request: ecs.RegisterTaskDefinitionRequest) -> None:
    length = len(msgspec.json.encode(replace(request, tags=None)))
    if length > MAX_BYTES:
        raise ecs.ClientException(f"Actual length: '{length}'. Max allowed length is '{MAX_BYTES}' bytes.")
