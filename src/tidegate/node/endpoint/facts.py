"""
What the endpoint tells of, and whom it asks: wired by the server, faked by tests.

It knows a caller by the address that the call comes from, which nobody can forge (the bridge sees to that), and hands
each task what is that task's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tidegate.model.counters import ContainerCounters
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.model.status import ContainerStatus, Observation


@dataclass(frozen=True, slots=True)
class Probe:
    """What a health check came to last. exit_code: None when it took too long."""

    output: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task as it is now. probes: by container, of those that were probed."""

    spec: TaskSpec
    observation: Observation
    probes: Mapping[str, Probe]

    def status(self, container: str) -> ContainerStatus:
        """What is known of a container."""
        return next(c for c in self.observation.containers if c.name == container)

    def find(self, runtime_id: str) -> ContainerSpec | None:
        """The container with this id, if it is one of this task's."""
        return next((c for c in self.spec.containers if self.spec.runtime_id(c.name) == runtime_id), None)


class Tasks(Protocol):
    """The tasks of this node."""

    def find(self, address: str) -> TaskFacts | None:
        """The task that has the address now; None for one that has stopped."""


class Counters(Protocol):
    """Reads what containers use."""

    def read(self, task: str, container: str) -> ContainerCounters | None:
        """Now; None if it does not run."""


class Tags(Protocol):
    """Tags of tasks, which are the control plane's."""

    def of_task(self, task: str) -> Mapping[str, str]:
        """All of them, by key."""


@dataclass(frozen=True, slots=True)
class StorageUse:
    """Of a task's ephemeral storage."""

    used_mib: int
    reserved_mib: int


class Storage(Protocol):
    """What tasks have on disk."""

    def use_of(self, task: str) -> StorageUse | None:
        """Measured; None if it is not known."""
