"""
Rules for what containers say of one another: `dependsOn`, `volumesFrom` and health checks.

Source: API reference, ContainerDependency and HealthCheck; texts as observed, the one for a cycle is our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from tidegate.api import ecs

_HEALTH_RANGES = (("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300))


def check_dependencies(containers: tuple[ecs.ContainerDefinition, ...]) -> None:
    """Refuse dependencies that can never be satisfied. Raises ClientException."""
    by_name = {container.name: container for container in containers}
    for container in containers:
        for dependency in container.depends_on or ():
            _check_condition(dependency, by_name.get(dependency.container_name))
        for source in container.volumes_from or ():
            if source.source_container not in by_name:
                raise ecs.ClientException(
                    f"Invalid 'volumesFrom' setting. Unknown container: '{source.source_container}'"
                )
    _check_cycles(containers)


def check_health_checks(containers: tuple[ecs.ContainerDefinition, ...]) -> None:
    """Refuse a health check without a command or with numbers out of range. Raises ClientException."""
    for container in containers:
        check = container.health_check
        if check is None:
            continue
        if len(check.command) < 2 or not any(check.command[1:]):
            raise ecs.ClientException(
                f"Invalid setting for container '{container.name}'. The health check's command must not be empty."
            )
        values = (check.interval, check.timeout, check.retries, check.start_period)
        for (name, low, high), value in zip(_HEALTH_RANGES, values, strict=True):
            if value is not None and not low <= value <= high:
                raise ecs.ClientException(
                    f"Invalid setting for container '{container.name}'. "
                    f"The health check's '{name}' must be between {low} and {high}."
                )


def _check_condition(dependency: ecs.ContainerDependency, target: ecs.ContainerDefinition | None) -> None:
    if target is None:
        raise ecs.ClientException(
            f"Cannot depend on container + '{dependency.container_name}' because it does not exist"
        )
    if dependency.condition in ("SUCCESS", "COMPLETE") and target.essential:
        raise ecs.ClientException(
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
        )
    if dependency.condition == "HEALTHY" and target.health_check is None:
        raise ecs.ClientException("A dependency container with HEALTHY condition must have health check configured")


def _needed(container: ecs.ContainerDefinition, router: str | None) -> Iterator[str]:
    """Whom it waits for: those that it names, whose volumes it takes over, and the log router that it uses."""
    log = container.log_configuration
    if router not in (None, container.name) and log is not None and log.log_driver == "awsfirelens":
        yield router or ""
    for dependency in container.depends_on or ():
        yield dependency.container_name
    for source in container.volumes_from or ():
        yield source.source_container or ""


def _check_cycles(containers: tuple[ecs.ContainerDefinition, ...]) -> None:
    router = next((container.name for container in containers if container.firelens_configuration is not None), None)
    graph = {container.name: [*_needed(container, router)] for container in containers}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The cycle comes with each node before those that depend on it; told the other way it reads as written.
        cycle = " -> ".join(reversed(error.args[1]))
        raise ecs.ClientException(f"Container dependencies must not form a cycle: {cycle}") from error
