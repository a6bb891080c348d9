"""
What a container finds in its environment, beside what its image says.

It is asked for once, before the container is created; from then on it is in the container's configuration, which only
root can read, so that a restart and a health check find the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tidegate.model.spec import ContainerSpec, TaskSpec


class EnvironmentUnavailable(Exception):
    """A part of it could not be had; the message is the task's stopped reason, in ECS's words."""


class EnvironmentSource(Protocol):
    """Puts together the environment of a container."""

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """All of it, a later source's value in place of an earlier one's. Raises EnvironmentUnavailable."""


class DefinedEnvironment:
    """What the task definition and the overrides say, and nothing else."""

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """See EnvironmentSource."""
        return container.environment


class CombinedEnvironment:
    """Several sources, one over the other: the last one's value counts."""

    def __init__(self, *sources: EnvironmentSource) -> None:
        self._sources = sources

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """See EnvironmentSource."""
        merged: dict[str, str] = {}
        for source in self._sources:
            merged |= await source.resolve(task, container)
        return merged
