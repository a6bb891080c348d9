"""The record of a task."""

from __future__ import annotations

import uuid
from typing import ClassVar, Literal

from tidegate.api import ecs
from tidegate.model.record import Record
from tidegate.model.spec import PublishedPort
from tidegate.model.status import LastStatus, TaskStatus

MADE_ROLE = "tidegate.made-"
"""Begins the names of the attributes by which a task tells which of its roles were made at their first use."""


class Task(Record, frozen=True, kw_only=True):
    """
    One task: `request` is the spec (RunTask's input as the user sent it, one a task), `status` is ours.

    The task definition revision that the request resolved to is `definition`; revisions are immutable, so
    nothing of it is copied here.
    """

    KIND = "task"
    INDEXES: ClassVar = {
        "cluster": lambda task: task.cluster,
        "active": lambda task: None if task.status.last_status is LastStatus.STOPPED else "yes",
        "stopped": lambda task: "yes" if task.status.last_status is LastStatus.STOPPED else None,
        "unplaced": lambda task: "yes" if task.is_unplaced else None,
    }

    id: str
    """32 lower-case hex digits."""
    cluster: str
    """The cluster's name."""
    definition: str
    """family:revision."""
    group: str
    capacity_provider: str | None = None
    """The provider that a strategy (the request's or the cluster's) gave it; None with a launch type."""
    request: ecs.RunTaskRequest
    container_ids: dict[str, str]
    """Container name to the UUID in its ARN."""
    tags: tuple[ecs.Tag, ...] = ()
    """The task's own and the propagated ones."""
    published: tuple[PublishedPort, ...] = ()
    made_roles: dict[str, str] | None = None
    """Its roles that Tidegate made, as nobody had: the name by kind, `task-role` or `execution-role`."""
    log_mode: Literal["blocking", "non-blocking"] = "non-blocking"
    """Of containers whose log options name none: the account setting of whoever asked for the task."""
    launch: str = ""
    """Which RunTask call started it: the id of the first of its tasks."""
    service: str = ""
    """The name of the service that started it; empty: none did."""
    protected_until: float | None = None
    """Until then its service ends it neither to scale in nor to deploy."""
    status: TaskStatus

    @property
    def key(self) -> str:
        return self.id

    @property
    def attachment(self) -> str:
        """The UUID of its network interface's attachment; it follows from the id, so RunTask can show it at once."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.id))

    @property
    def subnets(self) -> tuple[str, ...]:
        """The request's subnets in the order in which they are tried: another one first for each task."""
        network = self.request.network_configuration
        wanted = network.awsvpc_configuration.subnets if network and network.awsvpc_configuration else ()
        turn = int(self.id[:8], 16) % len(wanted) if wanted else 0
        return wanted[turn:] + wanted[:turn]

    @property
    def is_unplaced(self) -> bool:
        """Waits for a node."""
        return self.status.last_status is LastStatus.PROVISIONING and self.status.node is None


class TaskDefinition(Record, frozen=True, kw_only=True):
    """
    One revision of a family. `spec` is what DescribeTaskDefinition returns: the registered shape with AWS's
    normalisation and the members that registration adds (ARN, revision, status ...).
    """

    KIND = "task-definition"
    INDEXES: ClassVar = {"family": lambda definition: definition.family}

    family: str
    number: int
    """The revision within the family; `revision` is the store's."""
    spec: ecs.TaskDefinition
    tags: tuple[ecs.Tag, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.family}:{self.number}"


class Family(Record, frozen=True, kw_only=True):
    """Remembers how far a family has counted, so that no number is ever used twice."""

    KIND = "family"

    name: str
    latest: int

    @property
    def key(self) -> str:
        return self.name


class ClientToken(Record, frozen=True, kw_only=True):
    """RunTask's idempotency: what a token was used for, by cluster."""

    KIND = "client-token"

    cluster: str
    token: str
    fingerprint: str
    """SHA-256 of the request's other members."""
    tasks: tuple[str, ...]
    failures: tuple[ecs.Failure, ...] = ()
    created_at: float

    @property
    def key(self) -> str:
        return f"{self.cluster}/{self.token}"


class Cluster(Record, frozen=True, kw_only=True):
    """A cluster. `spec` is what DescribeClusters returns, less the counts, which are counted."""

    KIND = "cluster"

    name: str
    spec: ecs.Cluster
    tags: tuple[ecs.Tag, ...] = ()

    @property
    def key(self) -> str:
        return self.name


class Setting(Record, frozen=True, kw_only=True):
    """An account setting. principal: an ARN, or `default` for PutAccountSettingDefault."""

    KIND = "account-setting"

    principal: str
    name: str
    value: str

    @property
    def key(self) -> str:
        return f"{self.principal}/{self.name}"


class AttributeRecord(Record, frozen=True, kw_only=True):
    """A custom attribute put on a target (a container instance)."""

    KIND = "attribute"
    INDEXES: ClassVar = {"target": lambda attribute: f"{attribute.cluster}/{attribute.target}"}

    cluster: str
    target: str
    name: str
    spec: ecs.Attribute

    @property
    def key(self) -> str:
        return f"{self.cluster}/{self.target}/{self.name}"
