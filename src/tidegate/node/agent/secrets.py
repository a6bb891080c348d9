"""
Secrets of containers, resolved while the task is launched.

A task's spec names them; their values come from a SecretSource, in the name of the task's execution role, and go into
the container's configuration, to the registry, or to the log driver. They are never refreshed: as on AWS, a new value
reaches a container when it is launched anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from tidegate.model.execution import ExecutionFailure, RegistryLogin
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.node.agent.environment import EnvironmentUnavailable

REASON = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "


class SecretSource(Protocol):
    """Reads in the name of a task's execution role. Raises ExecutionFailure."""

    async def read_values(self, task: TaskSpec, references: Iterable[str]) -> Mapping[str, str]:
        """The value of each `valueFrom`."""

    async def read_login(self, task: TaskSpec, reference: str) -> RegistryLogin:
        """What a secret with `username` and `password` holds."""


class NoSecrets:
    """For a node that has nobody to ask."""

    async def read_values(self, task: TaskSpec, references: Iterable[str]) -> Mapping[str, str]:
        """See SecretSource."""
        raise ExecutionFailure("there is nowhere to read secrets from")

    async def read_login(self, task: TaskSpec, reference: str) -> RegistryLogin:
        """See SecretSource."""
        raise ExecutionFailure("there is nowhere to read secrets from")


class SecretEnvironment:
    """The source of environment for `secrets`: on top of everything that the task definition gives in plain."""

    def __init__(self, source: SecretSource) -> None:
        self._source = source

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """See EnvironmentSource."""
        return await resolve_named(self._source, task, container.secrets)


async def resolve_named(source: SecretSource, task: TaskSpec, named: Mapping[str, str]) -> Mapping[str, str]:
    """The values by name of what `named` has by `valueFrom`. Raises EnvironmentUnavailable."""
    if not named:
        return {}
    try:
        values = await source.read_values(task, dict.fromkeys(named.values()))
    except ExecutionFailure as failure:
        raise EnvironmentUnavailable(f"{REASON}{failure}") from failure
    return {name: values[reference] for name, reference in named.items()}


async def resolve_login(source: SecretSource, task: TaskSpec, container: ContainerSpec) -> RegistryLogin | None:
    """For the registry of the container's image, if it names one. Raises EnvironmentUnavailable."""
    if container.repository_credentials is None:
        return None
    try:
        return await source.read_login(task, container.repository_credentials)
    except ExecutionFailure as failure:
        raise EnvironmentUnavailable(f"{REASON}{failure}") from failure
