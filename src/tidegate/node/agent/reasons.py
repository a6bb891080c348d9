"""
Why a task or a container stopped, in ECS's words: `<ErrorName>: <message>`.

Sources: developer guide, "Stopped tasks error messages" and "CannotPullContainer task errors"; ECS's agent.
"""

from __future__ import annotations

import signal

from tidegate.node.image.images import (
    ImageError,
    ImageNotFound,
    ImageUnauthorized,
    ImageUnreachable,
    PullTimeout,
    WrongPlatform,
)
from tidegate.node.runtime.runtime import Exit, RuntimeFailure, RuntimeTimeout
from tidegate.node.volume.volumes import VolumeFailure

ESSENTIAL_EXITED = "Essential container in task exited"
HOST_RESTARTED = "The host of the task was restarted."
NETWORK_TIMEOUT = "Timeout waiting for network interface provisioning to complete."
LOST = "ContainerRuntimeError: the container was lost while the node was down; its exit code is not known"
LOST_WITH_HOST = (
    "ContainerRuntimeError: the container ended with its host, which was restarted; its exit code is not known"
)
PROCESSES_LOST = "ContainerRuntimeError: the container was killed because the task's process namespace was lost"
NODE_FAILED = "ContainerRuntimeError: the node could not go on"

_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
_SUPERVISOR_LOST = "ContainerRuntimeError: the container was killed because its supervisor was lost"
_REACHED = {"create": "created", "start": "running"}
_PULL_ADVICE: dict[type[Exception], str] = {
    ImageUnauthorized: "Check that the role has the permissions to pull images from the registry.",
    ImageNotFound: "Check whether the image exists.",
    ImageUnreachable: "Check your network configuration.",
}


def exit_reason(ended: Exit) -> str:
    """What there is to say of an end beside its code; mostly nothing."""
    if ended.oom_killed:
        return _OUT_OF_MEMORY
    return _SUPERVISOR_LOST if ended.supervisor_lost else ""


def pull_reason(error: ImageError | VolumeFailure) -> str:
    """Of a container whose image can't be had, or has no room on the task's disk."""
    if isinstance(error, PullTimeout):
        return timeout_reason("pulled", error.seconds)
    advice = None if isinstance(error, WrongPlatform) else _PULL_ADVICE.get(type(error))
    sentence = f"The task can’t pull the image. {advice} " if advice else ""
    return f"CannotPullContainerError: {sentence}{error}"


def launch_reason(error: RuntimeFailure | ImageError | VolumeFailure | OSError) -> str:
    """Of a container that can't be made, or can't be let run."""
    if isinstance(error, RuntimeTimeout):
        return f"{timeout_reason(_REACHED.get(error.step, error.step), error.seconds)}: {error}"
    is_start = isinstance(error, RuntimeFailure) and error.step == "start"
    return f"{'CannotStartContainerError' if is_start else 'CannotCreateContainerError'}: {error}"


def stop_reason(number: int, why: str) -> str:
    """Of a container that could not be signalled, or does not end."""
    return f"CannotStopContainerError: failed sending {signal.Signals(number).name} to container: {why}"


def timeout_reason(state: str, seconds: float) -> str:
    """Of a container that did not come so far in time."""
    return f"ContainerRuntimeTimeoutError: Could not transition to {state}; timed out after waiting {_span(seconds)}"


def _span(seconds: float) -> str:
    """2h, 3m, 1m30s, 45s."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest:g}s" if rest else ""]
    return "".join(parts) or "0s"
