"""
Task metadata, versions 4 and 3, as Fargate has it: pure, from what is known of a task.

Source: Amazon ECS Developer Guide, Task metadata endpoint version 4 for tasks on Fargate, and version 3. A member whose
value is not known (yet) is left out, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

from tidegate.kernel.clock import ClockState
from tidegate.model.spec import ContainerSpec
from tidegate.model.status import ContainerStatus, LastStatus
from tidegate.node.endpoint.facts import StorageUse, TaskFacts

LEAST_CPU_UNITS = 2
_ORDER = ("NONE", "PULLED", "CREATED", "RUNNING", "STOPPED")
_OF_TASK = {"PULLED": "MANIFEST_PULLED"}
_NOT_IN_V3 = ("LogDriver", "LogOptions", "ContainerARN", "LaunchType", "Errors")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is true for all tasks of the node."""

    resolvers: Sequence[str]
    search_domains: Sequence[str] = ()


def render_task(
    facts: TaskFacts,
    surroundings: Surroundings,
    clock: ClockState | None,
    now: float,
    storage: StorageUse | None = None,
) -> dict[str, Any]:
    """The answer to /task. clock: None if it could not be read."""
    task, seen = facts.spec, facts.observation
    answer = {
        "Cluster": task.cluster_arn,
        "ServiceName": task.service or None,
        "TaskARN": task.arn,
        "Family": task.family,
        "Revision": str(task.family_revision),
        "DesiredStatus": _desired(facts),
        "KnownStatus": _known_of_task(facts),
        "Limits": {"CPU": task.cpu_units / 1024, "Memory": task.memory_mib},
        "AvailabilityZone": task.availability_zone or None,
        "Group": task.group or None,
        "LaunchType": "FARGATE",
        "PullStartedAt": _time(seen.pull_started_at),
        "PullStoppedAt": _time(seen.pull_stopped_at),
        "ExecutionStoppedAt": _time(seen.execution_stopped_at),
        "Containers": [render_container(facts, container, surroundings) for container in task.containers],
        "ClockDrift": _clock(clock, now),
        "EphemeralStorageMetrics": _storage(storage),
        "FaultInjectionEnabled": False,
    }
    return _known_members(answer)


def render_container(facts: TaskFacts, container: ContainerSpec, surroundings: Surroundings) -> dict[str, Any]:
    """The answer to the container's own path, and its place in the task's."""
    status = facts.status(container.name)
    known = known_status(status)
    answer = {
        "DockerId": facts.spec.runtime_id(container.name),
        "Name": container.name,
        "DockerName": container.name,
        "Image": container.image,
        "ImageID": status.image_digest or None,
        "Labels": container.labels,
        "DesiredStatus": "STOPPED" if known == "STOPPED" else _desired(facts),
        "KnownStatus": known,
        "ExitCode": status.exit_code,
        "Limits": _limits(container),
        "Type": "NORMAL",
        "CreatedAt": _time(status.created_at),
        "StartedAt": _time(status.last_started_at),
        "FinishedAt": _time(status.finished_at),
        "Health": _health(facts, container, status),
        "Volumes": [{"DockerName": m.volume, "Destination": m.path} for m in container.mounts] or None,
        "LogDriver": container.log_driver or None,
        "LogOptions": _log_options(container, facts.spec.region),
        "ContainerARN": container.arn,
        "Networks": [_network(facts, surroundings)],
        "Snapshotter": "overlayfs",
        "RestartCount": status.restart_count if container.restart_policy is not None else None,
    }
    return _known_members(answer)


def as_v3(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What version 3 has of a task's or a container's answer."""
    kept = {name: value for name, value in answer.items() if name not in _NOT_IN_V3}
    if "Containers" in kept:
        kept["Containers"] = [as_v3(container) for container in kept["Containers"]]
    if "Networks" in kept:
        names = ("NetworkMode", "IPv4Addresses")
        kept["Networks"] = [{name: network[name] for name in names} for network in kept["Networks"]]
    return kept


def known_status(status: ContainerStatus) -> str:
    """How far a container has come, in the agent's words."""
    if status.state == "STOPPED":
        return "STOPPED"
    if status.started_at is not None:
        return "RUNNING"
    if status.created_at is not None:
        return "CREATED"
    return "PULLED" if status.image_digest else "NONE"


def _known_of_task(facts: TaskFacts) -> str:
    """That of the container that is least far."""
    least = min((known_status(c) for c in facts.observation.containers), key=_ORDER.index, default="NONE")
    return _OF_TASK.get(least, least)


def _desired(facts: TaskFacts) -> str:
    is_stopping = facts.observation.last_status.rank >= LastStatus.DEACTIVATING.rank
    return "STOPPED" if is_stopping or facts.observation.stop_code is not None else "RUNNING"


def _limits(container: ContainerSpec) -> dict[str, int]:
    limits = {"CPU": max(container.cpu_units, LEAST_CPU_UNITS)}
    return limits | ({"Memory": container.memory_mib} if container.memory_mib is not None else {})


def _health(facts: TaskFacts, container: ContainerSpec, status: ContainerStatus) -> dict[str, Any] | None:
    if container.health_check is None:
        return None
    probe = facts.probes.get(container.name)
    health = {
        "status": status.health,
        "statusSince": _time(status.health_since),
        "exitCode": (probe.exit_code if probe.exit_code is not None else -1) if probe else None,
        "output": probe.output if probe else None,
    }
    return {name: value for name, value in health.items() if value not in (None, "", 0)}


def _log_options(container: ContainerSpec, region: str) -> dict[str, str] | None:
    """As they were given, but for the region: the logs are in this one, whatever was asked for."""
    if not container.log_driver:
        return None
    given = container.log_options
    return {**given, "awslogs-region": region} if container.log_driver == "awslogs" else given


def _network(facts: TaskFacts, surroundings: Surroundings) -> dict[str, Any]:
    network = facts.spec.network
    subnet = IPv4Network(f"{network.address}/{network.prefix_length}", strict=False)
    answer = {
        "NetworkMode": "awsvpc",
        "IPv4Addresses": [network.address],
        "AttachmentIndex": 0,
        "MACAddress": network.mac,
        "IPv4SubnetCIDRBlock": str(subnet),
        "DomainNameServers": list(surroundings.resolvers) or None,
        "DomainNameSearchList": list(surroundings.search_domains) or None,
        "PrivateDNSName": network.hostname or None,
        "SubnetGatewayIpv4Address": f"{network.gateway}/{network.prefix_length}",
    }
    return _known_members(answer)


def _clock(clock: ClockState | None, now: float) -> dict[str, Any] | None:
    if clock is None:
        return None
    return {
        "ClockErrorBound": round(clock.bound_milliseconds, 3),
        "ReferenceTimestamp": _time(float(int(now))),
        "ClockSynchronizationStatus": "SYNCHRONIZED" if clock.is_synchronized else "NOT_SYNCHRONIZED",
    }


def _storage(storage: StorageUse | None) -> dict[str, int] | None:
    return None if storage is None else {"Utilized": storage.used_mib, "Reserved": storage.reserved_mib}


def render_time(seconds: float) -> str:
    """RFC 3339 in UTC, as Go writes it: no more digits than it takes."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else render_time(seconds)


def _known_members(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if value is not None}
