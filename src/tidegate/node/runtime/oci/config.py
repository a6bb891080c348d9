"""
A container's whole OCI configuration, planned from what the task asks, the image says and the host can do.

Pure: the user has been looked up before (`find_user`), the host been looked at (`read_host_facts`). What the host can't
give in full, but can do without harm, is said in `notes`; what it can't do raises RuntimeFailure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.model.image import ImageConfig
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.node.runtime.bundle import OPEN_STDIN
from tidegate.node.runtime.oci.capabilities import PlannedCapabilities, plan_capabilities
from tidegate.node.runtime.oci.host import HostFacts
from tidegate.node.runtime.oci.mounts import DEVICE_RULES, MASKED_PATHS, READONLY_PATHS, plan_mounts
from tidegate.node.runtime.oci.process import plan_environment, plan_limits, plan_process
from tidegate.node.runtime.oci.seccomp import plan_seccomp
from tidegate.node.runtime.oci.user import ProcessUser

_OCI_VERSION = "1.0.2"
_MIB = 1 << 20
_LEAST_CPU_SHARES = 2
_MOST_CPU_SHARES = 262_144


@dataclass(frozen=True, slots=True)
class Site:
    """Where a container is put: made ready before it is planned."""

    rootfs: Path
    cgroup: str
    network_namespace: Path
    user: ProcessUser = field(default_factory=ProcessUser)
    files: Mapping[str, Path] = field(default_factory=dict)
    """Path in the container -> file of the host: /etc/resolv.conf, /etc/hosts, /etc/hostname."""
    volumes: Mapping[str, Path] = field(default_factory=dict)
    """By name."""
    process_namespace: Path | None = None
    """Of the task, where its containers share one."""


@dataclass(frozen=True, slots=True)
class PlannedConfig:
    """config: what goes into config.json. notes: what the task gets less of than it asked, and why."""

    config: dict[str, Any]
    notes: tuple[str, ...] = ()


def plan_config(
    task: TaskSpec, container: ContainerSpec, image: ImageConfig, site: Site, host: HostFacts
) -> PlannedConfig:
    """Raises RuntimeFailure with the step that AWS would name."""
    hostname = plan_hostname(task)
    capabilities = plan_capabilities(container.capabilities_add, container.capabilities_drop, host.capabilities)
    limits, notes = plan_limits(container.ulimits, host)
    environment = plan_environment(container, image, site.user, hostname)
    process = plan_process(container, image, site.user, capabilities, environment, limits)
    notes += _capability_notes(capabilities)
    if host.may_raise_limits or host.oom_score_adj <= 0:
        process["oomScoreAdj"] = 0
    config = {
        "ociVersion": _OCI_VERSION,
        "process": process,
        "root": {"path": str(site.rootfs), "readonly": container.readonly_root},
        "hostname": hostname,
        "mounts": plan_mounts(container, site.files, site.volumes, host),
        "annotations": {
            **container.labels,
            "tidegate.task": task.id,
            "tidegate.container": container.name,
            **({OPEN_STDIN: "true"} if container.interactive else {}),
        },
        "linux": _plan_linux(container, site, host, capabilities),
    }
    return PlannedConfig(config, tuple(notes))


def in_process_namespace(config: Mapping[str, Any], namespace: Path | None) -> dict[str, Any]:
    """The configuration with the task's process namespace as it is reached now; None: one of its own."""
    linux = dict(config["linux"])
    linux["namespaces"] = [
        _pid_namespace(namespace) if space["type"] == "pid" else space for space in linux["namespaces"]
    ]
    return {**config, "linux": linux}


def plan_hostname(task: TaskSpec) -> str:
    """The interface's name, or what AWS calls an address that has none; at most 63 characters."""
    name = task.network.hostname or f"ip-{task.network.address.replace('.', '-')}.ec2.internal"
    return name[:63]


def _plan_linux(
    container: ContainerSpec, site: Site, host: HostFacts, capabilities: PlannedCapabilities
) -> dict[str, Any]:
    return {
        "cgroupsPath": site.cgroup,
        "namespaces": [
            _pid_namespace(site.process_namespace),
            *({"type": kind} for kind in ("ipc", "uts", "mount", "cgroup")),
            {"type": "network", "path": str(site.network_namespace)},
        ],
        "resources": _plan_resources(container, host),
        "sysctl": dict(container.sysctls),
        "seccomp": plan_seccomp(capabilities.kept, host.architecture, all_architectures=host.caches_seccomp),
        "maskedPaths": list(MASKED_PATHS),
        "readonlyPaths": list(READONLY_PATHS),
    }


def _pid_namespace(path: Path | None) -> dict[str, str]:
    return {"type": "pid"} if path is None else {"type": "pid", "path": str(path)}


def _plan_resources(container: ContainerSpec, host: HostFacts) -> dict[str, Any]:
    shares = min(max(container.cpu_units, _LEAST_CPU_SHARES), _MOST_CPU_SHARES)
    resources: dict[str, Any] = {"devices": [dict(rule) for rule in DEVICE_RULES], "cpu": {"shares": shares}}
    memory = {}
    if container.memory_mib is not None:
        memory["limit"] = container.memory_mib * _MIB
        if host.can_limit_swap:
            memory["swap"] = memory["limit"]  # memory and swap together: no swap
    if container.memory_reservation_mib is not None:
        memory["reservation"] = container.memory_reservation_mib * _MIB
    if memory:
        resources["memory"] = memory
    return resources


def _capability_notes(capabilities: PlannedCapabilities) -> list[str]:
    notes = [f"capability {name}: there is no such capability" for name in capabilities.unknown]
    return notes + [f"capability {name}: not held here, so not given" for name in capabilities.unavailable]
