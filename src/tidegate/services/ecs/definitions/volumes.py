"""
Rules for a task's volumes and for where its containers mount them.

Source: API reference, Volume and MountPoint; Developer Guide, storage options for tasks.
"""

from __future__ import annotations

import re

from tidegate.api import ecs

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_FILE_SYSTEM = re.compile(r"fs-[A-Za-z0-9-]{1,40}")


def check_volumes(definition: ecs.TaskDefinition) -> None:
    """Refuse volumes that are malformed and mounts of volumes that are not there. Raises ClientException."""
    volumes = definition.volumes or ()
    for volume in volumes:
        _check_volume(volume)
    names = [volume.name for volume in volumes]
    if len(set(names)) != len(names):
        raise ecs.ClientException("Volume names must be unique within a task definition.")
    mounted: set[str | None] = set()
    for container in definition.container_definitions or ():
        _check_mounts(container, set(names))
        mounted.update(mount.source_volume for mount in container.mount_points or ())
    at_launch = [volume.name or "" for volume in volumes if volume.configured_at_launch]
    if len(at_launch) > 1:
        raise ecs.ClientException("Only one volume may be configured at launch.")
    if idle := [name for name in at_launch if name not in mounted]:
        raise ecs.ClientException(f"Volumes [{', '.join(idle)}] are not referenced by any of the containers")


def _check_volume(volume: ecs.Volume) -> None:
    if not volume.name:
        raise ecs.ClientException("Volume.name should not be null or empty.")
    if not _NAME.fullmatch(volume.name):
        raise ecs.ClientException("Volume.name contains invalid characters.")
    sources = (
        volume.host,
        volume.docker_volume_configuration,
        volume.efs_volume_configuration,
        volume.s3files_volume_configuration,
        volume.fsx_windows_file_server_volume_configuration,
        volume.configured_at_launch or None,
    )
    if len(sources) - sources.count(None) > 1:
        raise ecs.ClientException(f"Volume '{volume.name}' must have only one source.")
    if volume.efs_volume_configuration is not None:
        _check_efs(volume.efs_volume_configuration)


def _check_efs(efs: ecs.EFSVolumeConfiguration) -> None:
    if not _FILE_SYSTEM.fullmatch(efs.file_system_id):
        raise ecs.ClientException(f"Invalid EFS file system id: {efs.file_system_id[:100]!r}")
    if efs.transit_encryption_port is not None and not 0 <= efs.transit_encryption_port <= 65535:
        raise ecs.ClientException("The EFS transit encryption port must be between 0 and 65535.")
    encrypted = efs.transit_encryption == "ENABLED"
    authorization = efs.authorization_config or ecs.EFSAuthorizationConfig()
    if authorization.access_point_id and efs.root_directory not in (None, "", "/"):
        raise ecs.ClientException(
            'When using an EFS access point, the root directory must either be set to "/" or be omitted'
        )
    if authorization.access_point_id and not encrypted:
        raise ecs.ClientException("EFS access points require TransitEncryption to be enabled")
    if authorization.iam == "ENABLED" and not encrypted:
        raise ecs.ClientException("EFS IAM authorization requires TransitEncryption to be enabled")


def _check_mounts(container: ecs.ContainerDefinition, volumes: set[str | None]) -> None:
    paths = set()
    for mount in container.mount_points or ():
        if mount.source_volume not in volumes:
            raise ecs.ClientException(f"Unknown volume '{mount.source_volume or ''}'.")
        path = mount.container_path or ""
        setting = f"Invalid setting for container '{container.name}'."
        if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
            raise ecs.ClientException(f"{setting} A mount point's 'containerPath' must be an absolute path.")
        normal = "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
        if normal in paths:
            raise ecs.ClientException(f"{setting} Duplicate mount point: {path}")
        paths.add(normal)
