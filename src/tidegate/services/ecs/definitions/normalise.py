"""
The form in which a task definition is stored and returned: defaults filled in, units converted.

What AWS adds was observed through its clients: per container `cpu: 0`, `essential: true`, five empty lists, the
protocol and host port of each mapping, three of the health check's four numbers, `host: {}` of a volume without a
source. Everything else stays as it was given. The normal form is a fixed point.
"""

from __future__ import annotations

import re
import shlex

from msgspec.structs import replace

from tidegate.api import ecs
from tidegate.services.ecs.definitions import sizes

HEALTH_INTERVAL_SECONDS = 30
HEALTH_TIMEOUT_SECONDS = 5
HEALTH_RETRIES = 3

_ONE_STRING = re.compile(r"\s*(?P<kind>CMD-SHELL|CMD)(?P<comma>\s*,\s*|\s+)(?P<rest>\S.*)", re.DOTALL)


def normalise(request: ecs.RegisterTaskDefinitionRequest) -> ecs.TaskDefinition:
    """What registration stores of `request`, less the members that need the store. Raises ClientException."""
    mode = request.network_mode or default_network_mode(request.runtime_platform)
    return ecs.TaskDefinition(
        family=request.family,
        container_definitions=tuple(_container(each, mode) for each in request.container_definitions),
        task_role_arn=request.task_role_arn,
        execution_role_arn=request.execution_role_arn,
        network_mode=mode,
        volumes=tuple(_volume(each) for each in request.volumes or ()),
        placement_constraints=request.placement_constraints or (),
        requires_compatibilities=tuple(dict.fromkeys(request.requires_compatibilities or ())) or None,
        cpu=None if request.cpu is None else str(sizes.parse_cpu(request.cpu)),
        memory=None if request.memory is None else str(sizes.parse_memory(request.memory)),
        pid_mode=request.pid_mode,
        ipc_mode=request.ipc_mode,
        proxy_configuration=request.proxy_configuration,
        inference_accelerators=request.inference_accelerators,
        ephemeral_storage=request.ephemeral_storage,
        runtime_platform=request.runtime_platform,
        enable_fault_injection=request.enable_fault_injection,
        trusted_execution_configuration=request.trusted_execution_configuration,
    )


def default_network_mode(platform: ecs.RuntimePlatform | None) -> ecs.NetworkMode | None:
    """Linux: bridge. Windows has a default without a name."""
    return None if is_windows(platform) else "bridge"


def is_windows(platform: ecs.RuntimePlatform | None) -> bool:
    """Whether the containers are Windows containers."""
    return platform is not None and (platform.operating_system_family or "LINUX") != "LINUX"


def health_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """
    The check's command, starting with CMD or CMD-SHELL.

    A single string that starts with one of the two is taken apart at it (`CMD-SHELL, curl -f http://localhost/`);
    a command with neither is CMD.
    """
    if len(command) == 1 and (match := _ONE_STRING.fullmatch(command[0])):
        if match["kind"] == "CMD-SHELL":
            return ("CMD-SHELL", match["rest"])
        return ("CMD", *_words(match["rest"], at_commas="," in match["comma"]))
    if command and command[0] not in ("CMD", "CMD-SHELL"):
        return ("CMD", *command)
    return command


def _words(text: str, *, at_commas: bool) -> list[str]:
    if at_commas:
        return [word.strip() for word in text.split(",")]
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ecs.ClientException(f"Invalid health check command: {error}") from error


def _container(container: ecs.ContainerDefinition, mode: ecs.NetworkMode | None) -> ecs.ContainerDefinition:
    return replace(
        container,
        cpu=container.cpu or 0,
        essential=True if container.essential is None else container.essential,
        environment=container.environment or (),
        mount_points=container.mount_points or (),
        volumes_from=container.volumes_from or (),
        system_controls=container.system_controls or (),
        port_mappings=tuple(_port(each, mode) for each in container.port_mappings or ()),
        health_check=None if container.health_check is None else _health_check(container.health_check),
    )


def _port(mapping: ecs.PortMapping, mode: ecs.NetworkMode | None) -> ecs.PortMapping:
    host_port = mapping.host_port
    if host_port is None and mapping.container_port is not None:
        host_port = mapping.container_port if mode in ("awsvpc", "host") else 0
    return replace(mapping, host_port=host_port, protocol=mapping.protocol or "tcp")


def _health_check(check: ecs.HealthCheck) -> ecs.HealthCheck:
    return replace(
        check,
        command=health_command(check.command),
        interval=HEALTH_INTERVAL_SECONDS if check.interval is None else check.interval,
        timeout=HEALTH_TIMEOUT_SECONDS if check.timeout is None else check.timeout,
        retries=HEALTH_RETRIES if check.retries is None else check.retries,
    )


def _volume(volume: ecs.Volume) -> ecs.Volume:
    sources = (
        volume.host,
        volume.docker_volume_configuration,
        volume.efs_volume_configuration,
        volume.s3files_volume_configuration,
        volume.fsx_windows_file_server_volume_configuration,
        volume.configured_at_launch or None,
    )
    return replace(volume, host=ecs.HostVolumeProperties()) if sources.count(None) == len(sources) else volume
