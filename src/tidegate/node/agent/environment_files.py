"""
Environment files: objects of S3 with a line `VARIABLE=VALUE` each.

As ECS reads them: lines that begin with `#` and lines without a value are left out, quotes and spaces belong to the
value; within a file the last line of a variable counts, among files the first that has it. Source: Developer Guide,
"Pass environment variables to an Amazon ECS container".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tidegate.model.execution import ExecutionFailure
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.node.agent.environment import EnvironmentUnavailable

REASON = "ResourceInitializationError: failed to download env files: file download command: non empty error stream: "
MAX_VARIABLES = 10_000
"""Of one file."""


class ObjectSource(Protocol):
    """Reads objects in the name of a task's execution role."""

    async def read_object(self, task: TaskSpec, arn: str) -> bytes:
        """The whole object. Raises ExecutionFailure."""


class FileEnvironment:
    """The source of environment for `environmentFiles`: below everything else that the task definition gives."""

    def __init__(self, source: ObjectSource) -> None:
        self._source = source

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """See EnvironmentSource."""
        merged: dict[str, str] = {}
        for arn in container.environment_files:
            try:
                found = parse_environment(await self._source.read_object(task, arn))
            except ExecutionFailure as failure:
                name = arn.rpartition("/")[2]
                raise EnvironmentUnavailable(f"{REASON}failed to download file {name}: {failure}") from failure
            merged = {**found, **merged}
        return merged


def parse_environment(data: bytes) -> dict[str, str]:
    """The variables of one file. Raises ExecutionFailure if it is not UTF-8, or has a null character, or too many."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExecutionFailure("it is not UTF-8") from None
    if "\0" in text:
        raise ExecutionFailure("it has a null character")
    variables: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.removesuffix("\r").partition("=")
        if name and value and not line.startswith("#"):
            variables[name] = value
    if len(variables) > MAX_VARIABLES:
        raise ExecutionFailure(f"it has more than {MAX_VARIABLES} variables")
    return variables
