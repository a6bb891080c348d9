"""What an execution role must be allowed before a container is made: to pull its image, and to write its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tidegate.model.execution import ExecutionFailure
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.node.agent.environment import EnvironmentUnavailable


class LaunchPermission(Protocol):
    """Whose policies have a say."""

    def check(self, task: TaskSpec, container: ContainerSpec) -> None:
        """Raises ExecutionFailure, with the whole reason."""


class PermittedEnvironment:
    """A source of environment that has nothing to add, and refuses what the role may not do."""

    def __init__(self, permission: LaunchPermission) -> None:
        self._permission = permission

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """See EnvironmentSource."""
        try:
            self._permission.check(task, container)
        except ExecutionFailure as failure:
            raise EnvironmentUnavailable(str(failure)) from failure
        return {}
