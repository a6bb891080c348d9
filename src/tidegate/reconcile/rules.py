"""
What has to happen to a task next: a pure function of its record, of what the engine knows, and of now.

The rules are level-triggered: they look at what is, not at what happened, so that they give the same answer after a
crash, after a lost message, or when asked twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tidegate.model.status import LastStatus, StopCode, TaskStatus
from tidegate.model.task import Task

NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
NO_ADDRESS = (
    "Unexpected EC2 error while attempting to Create Network Interface in subnet '{subnet}': "
    "InsufficientFreeAddressesInSubnet"
)
INCOMPATIBLE = "The selected task definition is not compatible with the selected compute strategy."
LOST = "Task was lost: the node that ran it does not know it any more"
DEFAULT_RETENTION_SECONDS = 3600.0
"""ECS shows stopped tasks for at least an hour."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Find a node and an address."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand the task to the engine: it has a node, and the engine has not got it."""


@dataclass(frozen=True, slots=True)
class StopOnEngine:
    """Tell the engine to stop it."""

    reason: str
    code: StopCode


@dataclass(frozen=True, slots=True)
class End:
    """Nothing of it runs, and nothing will: STOPPED."""

    reason: str
    code: StopCode


@dataclass(frozen=True, slots=True)
class Expire:
    """It has been STOPPED for long enough to be forgotten."""


Action = Launch | Submit | StopOnEngine | End | Expire


def plan_task(
    task: Task, *, is_known: bool, now: float, retention_seconds: float = DEFAULT_RETENTION_SECONDS
) -> Action | None:
    """The next step for a task; None: nothing but to wait for the engine. is_known: the engine has it."""
    status = task.status
    reason, code = status.stopped_reason or "Task stopped by user", status.stop_code or "UserInitiated"
    is_unwanted = status.desired_status == "STOPPED"
    if status.last_status is LastStatus.STOPPED:
        is_old = status.stopped_at is not None and now - status.stopped_at >= retention_seconds
        return Expire() if is_old else None
    if task.is_unplaced:
        return End(reason, code) if is_unwanted else Launch()
    if not is_known:
        if status.started_at is not None:
            return End(LOST, "InfrastructureHealth")
        return End(reason, code) if is_unwanted else Submit()
    if is_unwanted and status.last_status.rank < LastStatus.DEACTIVATING.rank:
        return StopOnEngine(reason, code)
    return None


def ended(status: TaskStatus, reason: str, code: StopCode, now: float) -> TaskStatus:
    """The status of a task that never ran, or of which nothing runs any more."""
    return msgspec.structs.replace(
        status,
        last_status=LastStatus.STOPPED,
        desired_status="STOPPED",
        version=status.version + 1,
        stop_code=status.stop_code or code,
        stopped_reason=status.stopped_reason or reason,
        waiting_reason="",
        stopping_at=status.stopping_at or now,
        stopped_at=now,
        containers=tuple(
            c if c.state == "STOPPED" else msgspec.structs.replace(c, state="STOPPED") for c in status.containers
        ),
    )
