"""Which log streams a task's containers have, and what is said where there is none."""

from __future__ import annotations

from typing import Any

import click
import msgspec
import pytest

from tidegate.api import ecs
from tidegate.cli.log_streams import find_streams

TASK = ecs.Task(task_arn="arn:aws:ecs:r:1:task/default/" + "f" * 32, task_definition_arn="d")
AWSLOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-stream-prefix": "p"}}


class Client:
    """Answers with one definition."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        self._definition = msgspec.convert({"containerDefinitions": list(containers)}, ecs.TaskDefinition)

    def ecs(self, operation: str, request: object, response: object) -> ecs.DescribeTaskDefinitionResponse:
        return ecs.DescribeTaskDefinitionResponse(task_definition=self._definition)


def find(*containers: dict[str, Any], container: str | None = None) -> list[str]:
    return [s.name for s in find_streams(Client(*containers), TASK, container)]  # type: ignore[arg-type]


def test_streams_are_named_as_awslogs_names_them():
    """prefix/container/task; containers without awslogs have none."""
    assert find({"name": "a", "logConfiguration": AWSLOGS}, {"name": "b"}) == [f"p/a/{'f' * 32}"]


def test_output_that_is_routed_is_explained():
    """With where to look instead."""
    routed = {"name": "app", "logConfiguration": {"logDriver": "awsfirelens"}}
    router = {"name": "router", "firelensConfiguration": {"type": "fluentbit"}, "logConfiguration": AWSLOGS}
    assert find(routed, router) == [f"p/router/{'f' * 32}"]
    with pytest.raises(click.ClickException, match="log router; what that says, if it is kept: -c router"):
        find(routed, router, container="app")


def test_output_that_is_not_kept_is_explained():
    """And so is a container that is not there."""
    with pytest.raises(click.ClickException, match="no container of this task has an awslogs"):
        find({"name": "a"})
    with pytest.raises(click.ClickException, match="has no container `x`; it has a"):
        find({"name": "a"}, container="x")
