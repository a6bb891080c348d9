"""What a task's definition and request say of its storage, as an engine is told: pure."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.model.spec import (
    DEFAULT_STORAGE_GIB,
    ROUTER_DIRECTORY,
    ROUTER_VOLUME,
    Dependency,
    EfsVolume,
    Mount,
    Tmpfs,
    VolumesFrom,
)
from tidegate.model.task import Task, TaskDefinition


def storage_gib(task: Task, definition: TaskDefinition) -> int:
    """The size of the task's disk, in GiB: 20 unless the request or the definition says otherwise."""
    overrides = task.request.overrides
    wanted = (overrides and overrides.ephemeral_storage) or definition.spec.ephemeral_storage
    return wanted.size_in_gi_b if wanted else DEFAULT_STORAGE_GIB


def empty_volumes(spec: ecs.TaskDefinition) -> tuple[str, ...]:
    """Names of those that begin empty and end with the task; the last is its log router's, if it has one."""
    named = tuple(v.name for v in spec.volumes or () if v.name and v.efs_volume_configuration is None)
    has_router = any(c.firelens_configuration is not None for c in spec.container_definitions or ())
    return (*named, ROUTER_VOLUME) if has_router else named


def efs_volumes(spec: ecs.TaskDefinition) -> tuple[EfsVolume, ...]:
    """Those that outlive the task."""
    found = []
    for volume in spec.volumes or ():
        efs = volume.efs_volume_configuration
        if efs is None or not volume.name:
            continue
        authorization = efs.authorization_config or ecs.EFSAuthorizationConfig()
        found.append(
            EfsVolume(
                name=volume.name,
                file_system=efs.file_system_id,
                directory=efs.root_directory or "/",
                access_point=authorization.access_point_id or None,
                checks_iam=authorization.iam == "ENABLED",
            )
        )
    return tuple(found)


def mounts_of(c: ecs.ContainerDefinition) -> tuple[Mount, ...]:
    """Volumes of the task in the container, and where a log router makes its socket."""
    named = tuple(
        Mount(volume=m.source_volume, path=m.container_path, read_only=bool(m.read_only))
        for m in c.mount_points or ()
        if m.source_volume and m.container_path
    )
    if c.firelens_configuration is None:
        return named
    return (*named, Mount(volume=ROUTER_VOLUME, path=ROUTER_DIRECTORY))


def volumes_from(c: ecs.ContainerDefinition) -> tuple[VolumesFrom, ...]:
    """Containers whose volumes it takes over."""
    return tuple(
        VolumesFrom(container=v.source_container, read_only=bool(v.read_only))
        for v in c.volumes_from or ()
        if v.source_container
    )


def memory_mounts(linux: ecs.LinuxParameters) -> tuple[Tmpfs, ...]:
    """Its memory file systems."""
    return tuple(
        Tmpfs(path=t.container_path, size_mib=t.size, options=t.mount_options or ()) for t in linux.tmpfs or ()
    )


def dependencies_of(c: ecs.ContainerDefinition) -> tuple[Dependency, ...]:
    """Those that it names, and CREATE on each container whose volumes it takes over (ECS agent, dependency graph)."""
    named = tuple(Dependency(container=d.container_name, condition=d.condition) for d in c.depends_on or ())
    sources = dict.fromkeys(each.container for each in volumes_from(c))
    return named + tuple(Dependency(container=source, condition="CREATE") for source in sources)
