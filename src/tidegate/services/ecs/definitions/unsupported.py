"""
What AWS has and Tidegate can't honour yet, and what it keeps though it means nothing here.

Registration refuses the former for every definition that qualifies for Fargate, all uses in one message, so that no
field is accepted and then ignored. `docs/reference/parity.md` names every row of these tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidegate.api import ecs
from tidegate.services.ecs.definitions.linux import MOUNT_OPTIONS
from tidegate.services.ecs.definitions.logs import AWSLOGS_OPTIONS
from tidegate.services.ecs.definitions.normalise import is_windows

T = TypeVar("T")

TMPFS_OPTIONS = MOUNT_OPTIONS - {
    *("bind", "rbind", "remount", "mand", "nomand", "mpol"),
    *("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"),
}
"""The mount options of a tmpfs that Tidegate passes on. The others would make it another kind of mount."""


@dataclass(frozen=True, slots=True)
class Unsupported(Generic[T]):
    """One row: the field as the API spells it, and what of it is used (nothing: not used)."""

    field: str
    used: Callable[[T], object]

    def describe(self, value: T) -> str | None:
        """The field, with what was used of it in brackets where that is a list; None if it was not used."""
        used = self.used(value)
        if not used:
            return None
        return f"{self.field} ({', '.join(used)})" if isinstance(used, list) else self.field


TASK_FIELDS: tuple[Unsupported[ecs.TaskDefinition], ...] = (
    Unsupported("enableFaultInjection", lambda task: task.enable_fault_injection),
    Unsupported("proxyConfiguration", lambda task: task.proxy_configuration),
    Unsupported("trustedExecutionConfiguration", lambda task: task.trusted_execution_configuration),
    Unsupported("runtimePlatform.operatingSystemFamily", lambda task: _windows(task.runtime_platform)),
    Unsupported(
        "volumes.s3filesVolumeConfiguration", lambda task: _named(task, lambda each: each.s3files_volume_configuration)
    ),
    Unsupported(
        "volumes.fsxWindowsFileServerVolumeConfiguration",
        lambda task: _named(task, lambda each: each.fsx_windows_file_server_volume_configuration),
    ),
    Unsupported("volumes.configuredAtLaunch", lambda task: _named(task, lambda each: each.configured_at_launch)),
)

CONTAINER_FIELDS: tuple[Unsupported[ecs.ContainerDefinition], ...] = (
    Unsupported("logConfiguration.logDriver", lambda container: _driver(container.log_configuration)),
    Unsupported("logConfiguration.options", lambda container: _options(container.log_configuration)),
    Unsupported("logConfiguration.secretOptions", lambda container: _secret_options(container.log_configuration)),
    Unsupported("credentialSpecs", lambda container: container.credential_specs),
    Unsupported("linuxParameters.tmpfs.mountOptions", lambda container: _tmpfs_options(container.linux_parameters)),
)

KEPT = (
    "portMappings.name",
    "portMappings.appProtocol",
    "awslogs-region",
)
"""Accepted, stored and returned as given, without effect."""


def check_supported(definition: ecs.TaskDefinition) -> None:
    """Refuse, in one message, all that this definition uses of what Tidegate can't honour. Raises ClientException."""
    found = [f"task definition: {text}" for row in TASK_FIELDS if (text := row.describe(definition))]
    for container in definition.container_definitions or ():
        found += [
            f"container '{container.name}': {text}" for row in CONTAINER_FIELDS if (text := row.describe(container))
        ]
    if found:
        raise ecs.ClientException(f"Tidegate does not support yet what this task definition uses: {'; '.join(found)}")


def _named(task: ecs.TaskDefinition, source: Callable[[ecs.Volume], object]) -> list[str]:
    return [volume.name or "" for volume in task.volumes or () if source(volume)]


def _windows(platform: ecs.RuntimePlatform | None) -> list[str]:
    return [platform.operating_system_family or ""] if platform is not None and is_windows(platform) else []


def _driver(log: ecs.LogConfiguration | None) -> list[str]:
    return [log.log_driver] if log is not None and log.log_driver not in ("awslogs", "awsfirelens") else []


def _secret_options(log: ecs.LogConfiguration | None) -> object:
    """A log router's plugins have secrets; awslogs has none."""
    return log.secret_options if log is not None and log.log_driver != "awsfirelens" else None


def _options(log: ecs.LogConfiguration | None) -> list[str]:
    if log is None or log.log_driver != "awslogs":
        return []
    return sorted(set(log.options or {}) - AWSLOGS_OPTIONS)


def _tmpfs_options(linux: ecs.LinuxParameters | None) -> list[str]:
    mounts = (linux.tmpfs if linux is not None else None) or ()
    options = {option for mount in mounts for option in mount.mount_options or ()}
    return sorted(option for option in options if option.partition("=")[0] not in TMPFS_OPTIONS)
