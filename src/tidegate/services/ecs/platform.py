"""Fargate's platform versions for Linux."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.services.ecs.definitions.secrets import needs_newest_platform

LATEST = "1.4.0"
_VERSIONS = {None: LATEST, "LATEST": LATEST, "1.4.0": "1.4.0", "1.3.0": "1.3.0"}
_OLD_MAX_CPU = 4096


def platform_version(request: ecs.RunTaskRequest) -> str:
    """The version that a task of this request runs on; PlatformUnknownException if there is no such version."""
    version = _VERSIONS.get(request.platform_version)
    if version is None:
        raise ecs.PlatformUnknownException("The specified platform does not exist.")
    return version


def check_platform(request: ecs.RunTaskRequest, definition: ecs.TaskDefinition) -> None:
    """Refuse a version that does not exist, or that lacks what the definition and the overrides need."""
    if platform_version(request) == LATEST:
        return
    overrides = request.overrides or ecs.TaskOverride()
    platform = definition.runtime_platform
    needs_newer = (
        int(overrides.cpu or definition.cpu or 0) > _OLD_MAX_CPU
        or overrides.ephemeral_storage is not None
        or definition.ephemeral_storage is not None
        or (platform is not None and platform.cpu_architecture == "ARM64")
        or any(volume.efs_volume_configuration is not None for volume in definition.volumes or ())
        or any(needs_newest_platform(container) for container in definition.container_definitions or ())
        or any(override.environment_files for override in overrides.container_overrides or ())
    )
    if needs_newer:
        raise ecs.PlatformTaskDefinitionIncompatibilityException(
            "The specified platform does not satisfy the task definition's required capabilities."
        )
