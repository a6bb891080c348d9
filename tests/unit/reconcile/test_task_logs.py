"""Where the output of a task's containers goes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tidegate.api import ecs
from tidegate.model.log_options import LINE_BYTES
from tidegate.model.spec import (
    ROUTER_DIRECTORY,
    ROUTER_VOLUME,
    ContainerSpec,
    Dependency,
    ForwardTarget,
    LogRouter,
    Mount,
    RouterOutput,
    TaskSpec,
)
from tidegate.model.status import Interface, LastStatus, TaskStatus
from tidegate.model.task import Task, TaskDefinition
from tidegate.reconcile.task_spec import build_task_spec

INTERFACE = Interface(
    id="eni-1",
    attachment="a",
    subnet="subnet-1",
    vpc="vpc-1",
    availability_zone="eu-north-1a",
    address="10.64.0.9",
    prefix_length=20,
    gateway="10.64.0.1",
    mac="02:74:0a:40:00:09",
)
ID = "f" * 32


def build(*containers: dict[str, Any], **members: Any) -> dict[str, ContainerSpec]:
    return {container.name: container for container in build_task(*containers, **members).containers}


def build_task(*containers: dict[str, Any], **members: Any) -> TaskSpec:
    spec = msgspec.convert(
        {"cpu": "256", "memory": "512", "containerDefinitions": [{"image": "i", **c} for c in containers]},
        ecs.TaskDefinition,
    )
    task = Task(
        id=ID,
        cluster="default",
        definition="app:3",
        group="family:app",
        request=ecs.RunTaskRequest(task_definition="app:3"),
        container_ids={},
        status=TaskStatus(last_status=LastStatus.PENDING, created_at=1.0),
        **members,
    )
    revision = TaskDefinition(family="app", number=3, spec=spec)
    return build_task_spec(task, revision, INTERFACE, "123456789012", "eu-north-1")


def logged(driver: str, **options: Any) -> dict[str, Any]:
    secrets = options.pop("secrets", None)
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return {"logConfiguration": {"logDriver": driver, "options": named, "secretOptions": secrets}}


def router(**options: str) -> dict[str, Any]:
    return {
        "name": "router",
        "firelensConfiguration": {
            "type": options.pop("kind", "fluentbit"),
            "options": {name.replace("_", "-"): value for name, value in options.items()},
        },
    }


@pytest.mark.parametrize(
    "setting, mode, is_blocking",
    [
        ("non-blocking", None, False),
        ("blocking", None, True),
        ("blocking", "non-blocking", False),
        ("non-blocking", "blocking", True),
    ],
)
def test_the_mode(setting: str, mode: str | None, is_blocking: bool):
    """The account's setting, unless the container says otherwise; for both drivers."""
    options = {} if mode is None else {"mode": mode}
    app = build({"name": "app", **logged("awslogs", awslogs_group="g", **options)}, log_mode=setting)["app"]
    assert app.log is not None
    assert app.log.is_blocking is is_blocking
    app = build(router(), {"name": "app", **logged("awsfirelens", **options)}, log_mode=setting)["app"]
    assert app.forward is not None
    assert app.forward.is_blocking is is_blocking


def test_options_of_awslogs():
    """What begins an event, and how much may wait."""
    app = build({"name": "app", **logged("awslogs", awslogs_datetime_format="%Y", max_buffer_size="25m")})["app"]
    assert app.log is not None
    assert (app.log.begins_event, app.log.max_buffer_bytes) == ("[0-9]{4}", 25 * 1024**2)


def test_a_log_router():
    """It serves who names awsfirelens; its secrets are variables of its own, and its socket is in a volume."""
    task = build_task(
        {"name": "plain"},
        {
            "name": "app",
            **logged(
                "awsfirelens",
                Name="http",
                URI="/x",
                log_driver_buffer_limit="100",
                secrets=[{"name": "api.key", "valueFrom": "arn:secret"}],
            ),
        },
        {**router(config_file_type="file"), "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]},
        {"name": "silent", **logged("awsfirelens", mode="blocking")},
    )
    containers = {c.name: c for c in task.containers}
    assert containers["router"].router == LogRouter(
        kind="fluentbit",
        outputs=(
            RouterOutput(container="app", options={"Name": "http", "URI": "/x"}, secrets={"api.key": "api_key_1"}),
            RouterOutput(container="silent"),
        ),
    )
    assert containers["router"].secrets == {"api_key_1": "arn:secret"}
    assert task.volumes == (ROUTER_VOLUME,)
    assert containers["router"].mounts[-1] == Mount(volume=ROUTER_VOLUME, path=ROUTER_DIRECTORY)
    assert containers["app"].forward == ForwardTarget(
        tag=f"app-firelens-{ID}", max_buffer_bytes=100 * LINE_BYTES, has_acknowledgements=True
    )
    assert containers["app"].depends_on == (Dependency(container="router", condition="START"),)
    assert containers["app"].environment["FLUENT_HOST"] == "127.0.0.1"
    assert containers["app"].environment["FLUENT_PORT"] == "24224"
    assert containers["app"].secrets == {}
    assert "FLUENT_HOST" not in containers["plain"].environment
    assert (containers["plain"].depends_on, containers["plain"].forward, containers["plain"].router) == ((), None, None)


def test_a_dependency_on_the_router_that_is_named_stays():
    """Who waits for its health does not start at its start."""
    named = [{"containerName": "router", "condition": "HEALTHY"}]
    app = build({"name": "app", "dependsOn": named, **logged("awsfirelens")}, router())["app"]
    assert app.depends_on == (Dependency(container="router", condition="HEALTHY"),)


def test_a_fluentd_router():
    """Its socket does not acknowledge; its own options are read."""
    found = build(
        router(kind="fluentd", enable_ecs_log_metadata="false", config_file_type="file", config_file_value="/x.conf"),
        {"name": "app", **logged("awsfirelens", max_buffer_size="1m")},
    )
    assert found["router"].router == LogRouter(
        kind="fluentd", adds_metadata=False, include="/x.conf", outputs=(RouterOutput(container="app"),)
    )
    assert found["app"].forward is not None
    assert not found["app"].forward.has_acknowledgements
    assert found["app"].forward.max_buffer_bytes == 1024**2
