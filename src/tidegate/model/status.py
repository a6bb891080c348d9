"""Where a task is in its life, what may follow what, and who may say so."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class LastStatus(StrEnum):
    """The states of a task, in the order in which it passes them."""

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    ACTIVATING = "ACTIVATING"
    RUNNING = "RUNNING"
    DEACTIVATING = "DEACTIVATING"
    STOPPING = "STOPPING"
    DEPROVISIONING = "DEPROVISIONING"
    STOPPED = "STOPPED"

    @property
    def rank(self) -> int:
        """Position in the life of a task; a task's rank never falls."""
        return _RANK[self]


_RANK = {status: rank for rank, status in enumerate(LastStatus)}

Writer = Literal["services", "reconcile", "engine"]

TRANSITIONS: dict[Writer, frozenset[LastStatus]] = {
    "services": frozenset({LastStatus.PROVISIONING}),
    "reconcile": frozenset({LastStatus.PENDING, LastStatus.STOPPED}),
    "engine": frozenset(LastStatus) - {LastStatus.PROVISIONING},
}
"""Which states each writer may put a task into. `services` creates tasks; `reconcile` gives them a
node and an address (PENDING) and ends those that no node will ever run; the engine reports the rest."""

DesiredStatus = Literal["RUNNING", "STOPPED"]
Health = Literal["HEALTHY", "UNHEALTHY", "UNKNOWN"]
ContainerState = Literal["PENDING", "RUNNING", "STOPPED"]
StopCode = Literal[
    "TaskFailedToStart",
    "EssentialContainerExited",
    "UserInitiated",
    "ServiceSchedulerInitiated",
    "SpotInterruption",
    "TerminationNotice",
    "InfrastructureHealth",
]


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what we say of a task. Times are seconds since the epoch, UTC."""


class Phase(Status, frozen=True, kw_only=True):
    """A piece of a launch, for the timeline."""

    name: str
    """e.g. `image`, `network`, `create web`."""
    started_at: float
    milliseconds: float


class ContainerStatus(Status, frozen=True, kw_only=True):
    """What is known of one container."""

    name: str
    state: ContainerState = "PENDING"
    runtime_id: str = ""
    image_digest: str = ""
    exit_code: int | None = None
    """None: never ran."""
    reason: str = ""
    health: Health = "UNKNOWN"
    has_health_check: bool = False
    health_since: float | None = None
    """When its health last changed."""
    created_at: float | None = None
    """When the runtime had made it ready for its first instruction."""
    started_at: float | None = None
    """For the first time."""
    finished_at: float | None = None
    restart_count: int = 0
    """How often its restart policy has begun to start it again."""
    restarted_at: float | None = None
    """For the last time."""
    is_restarting: bool = False
    """It has exited, and what is to run next has not been let run."""
    dropped_lines: int = 0
    """Of its output, because too much waited to be stored."""
    is_output_cut: bool = False
    """More of its output is lost, because nobody read it in time; it is not known how much."""

    @property
    def last_started_at(self) -> float | None:
        """When what runs, or ran last, was started."""
        return self.started_at if self.restarted_at is None else self.restarted_at


class Interface(Status, frozen=True, kw_only=True):
    """The task's network interface, as given by the reconciler."""

    id: str
    """eni- and 17 hex digits."""
    attachment: str
    """A UUID."""
    subnet: str
    vpc: str
    availability_zone: str
    address: str
    prefix_length: int
    gateway: str
    mac: str
    security_groups: tuple[str, ...] = ()

    def private_dns_name(self, region: str) -> str:
        """As EC2 names an address of the region."""
        domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
        return f"ip-{self.address.replace('.', '-')}.{domain}"


class TaskStatus(Status, frozen=True, kw_only=True):
    """What we say of a task; DescribeTasks is close to the identity of it."""

    last_status: LastStatus
    desired_status: DesiredStatus = "RUNNING"
    version: int = 1
    """Grows by one with each change that is visible outside."""
    observed_revision: int = 0
    """Of the last observation that went in."""
    node: str | None = None
    interface: Interface | None = None
    containers: tuple[ContainerStatus, ...] = ()
    created_at: float
    connected_at: float | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    stop_code: StopCode | None = None
    stopped_reason: str = ""
    waiting_reason: str = ""
    """Why a PROVISIONING task has no node yet, per node."""
    timeline: tuple[Phase, ...] = ()


class Observation(Status, frozen=True, kw_only=True):
    """
    All that an engine knows of one task at one moment; not a difference.

    revision grows with every observation of the task, so that replays and reordering are harmless:
    whoever keeps them ignores one that is not newer than what it has.
    """

    task: str
    revision: int
    last_status: LastStatus
    containers: tuple[ContainerStatus, ...] = ()
    connected_at: float | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    stop_code: StopCode | None = None
    stopped_reason: str = ""
    timeline: tuple[Phase, ...] = ()
    boot: str = ""
    """Which start of its host it was made in; the engine's own."""


class Node(Status, frozen=True, kw_only=True):
    """A place where tasks run, as it is now."""

    id: str
    availability_zone: str
    architecture: str
    """x86_64 or arm64."""
    schedulable: bool = True
    reason: str = ""
    """Why it takes no tasks just now."""
    total_cpu_units: int
    total_memory_mib: int
    free_cpu_units: int
    free_memory_mib: int
    """What the next task may count on, after the node's own reserve."""
    task_memory_mib: int = 0
    """What a task is expected to use of it: 0 = all that it declares (strict capacity)."""
    total_storage_gib: int | None = None
    """What tasks' disks may add up to, and what is left of that; None: disks are not reserved (no strict capacity)."""
    free_storage_gib: int | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
