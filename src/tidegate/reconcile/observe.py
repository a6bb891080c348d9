"""What an engine's observation makes of a task's status: pure."""

from __future__ import annotations

import msgspec

from tidegate.model.status import TRANSITIONS, ContainerStatus, LastStatus, Observation, TaskStatus

_COPIED = (
    "connected_at",
    "pull_started_at",
    "pull_stopped_at",
    "started_at",
    "stopping_at",
    "execution_stopped_at",
    "stopped_at",
)


def apply_observation(status: TaskStatus, observation: Observation) -> TaskStatus:
    """
    The status after an observation; the same object if it says nothing new.

    The last status never goes back, a stop code that is known stays, and times are only added.
    """
    if observation.revision <= status.observed_revision or status.last_status is LastStatus.STOPPED:
        return status
    changes: dict[str, object] = {
        name: value
        for name in _COPIED
        if (value := getattr(observation, name)) is not None and getattr(status, name) is None
    }
    if observation.last_status.rank > status.last_status.rank and observation.last_status in TRANSITIONS["engine"]:
        changes["last_status"] = observation.last_status
    if status.stop_code is None and observation.stop_code is not None:
        changes |= {"stop_code": observation.stop_code, "stopped_reason": observation.stopped_reason}
    if observation.stop_code is not None:
        changes["desired_status"] = "STOPPED"
    return msgspec.structs.replace(
        status,
        version=status.version + 1,
        observed_revision=observation.revision,
        containers=_merge(status.containers, observation.containers),
        timeline=_launch_phases(status) + observation.timeline,
        **changes,
    )


def _merge(known: tuple[ContainerStatus, ...], seen: tuple[ContainerStatus, ...]) -> tuple[ContainerStatus, ...]:
    by_name = {container.name: container for container in seen}
    return tuple(by_name.get(container.name, container) for container in known)


def _launch_phases(status: TaskStatus) -> tuple[object, ...]:
    """The control plane's own phases, which come first in the timeline."""
    return tuple(phase for phase in status.timeline if phase.name in CONTROL_PHASES)


CONTROL_PHASES = frozenset({"place"})
