"""What Tidegate can't honour is refused, by name and all at once; and the parity reference names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.definitions import ROLE, container, ec2, fargate, refusal
from tidegate.services.ecs.definitions import unsupported
from tidegate.services.ecs.definitions.acceptance import accept

PREFIX = "Tidegate does not support yet what this task definition uses: "
PARITY = Path(__file__).parents[5] / "docs" / "reference" / "parity.md"
FIELDS = [row.field for row in unsupported.TASK_FIELDS] + [row.field for row in unsupported.CONTAINER_FIELDS]
AWSLOGS = {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"}

TASKS: list[tuple[dict[str, Any], str]] = [
    ({"enableFaultInjection": True}, "enableFaultInjection"),
    ({"proxyConfiguration": {"containerName": "web"}}, "proxyConfiguration"),
    ({"trustedExecutionConfiguration": {"isolationMode": "SHARED"}}, "trustedExecutionConfiguration"),
    (
        {
            "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
            "cpu": "1024",
            "memory": "2048",
        },
        "runtimePlatform.operatingSystemFamily (WINDOWS_SERVER_2022_CORE)",
    ),
    (
        {"volumes": [{"name": "v", "s3filesVolumeConfiguration": {"fileSystemArn": "arn"}}]},
        "volumes.s3filesVolumeConfiguration (v)",
    ),
    (
        {
            "volumes": [
                {
                    "name": "v",
                    "fsxWindowsFileServerVolumeConfiguration": {
                        "fileSystemId": "fs-1",
                        "rootDirectory": "d",
                        "authorizationConfig": {"credentialsParameter": "p", "domain": "d"},
                    },
                }
            ]
        },
        "volumes.fsxWindowsFileServerVolumeConfiguration (v)",
    ),
    (
        {
            "volumes": [{"name": "v", "configuredAtLaunch": True}],
            "containerDefinitions": [container(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}])],
        },
        "volumes.configuredAtLaunch (v)",
    ),
]

CONTAINERS: list[tuple[dict[str, Any], str]] = [
    (
        {"logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "u", "splunk-token": "t"}}},
        "logConfiguration.logDriver (splunk)",
    ),
    (
        {
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {**AWSLOGS, "tag": "t", "awslogs-endpoint": "http://x"},
            }
        },
        "logConfiguration.options (awslogs-endpoint, tag)",
    ),
    (
        {
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": AWSLOGS,
                "secretOptions": [{"name": "o", "valueFrom": "p"}],
            }
        },
        "logConfiguration.secretOptions",
    ),
    ({"credentialSpecs": ["credentialspec:arn"]}, "credentialSpecs"),
    (
        {
            "linuxParameters": {
                "tmpfs": [{"containerPath": "/t", "size": 1, "mountOptions": ["bind", "mpol=local", "ro"]}]
            }
        },
        "linuxParameters.tmpfs.mountOptions (bind, mpol=local)",
    ),
]


@pytest.mark.parametrize(("members", "field"), TASKS, ids=[field for _, field in TASKS])
def test_a_task_field_is_refused_by_name(members: dict[str, Any], field: str) -> None:
    """The message says that it is Tidegate that can't, and names the field."""
    assert refusal(fargate(**members)) == f"{PREFIX}task definition: {field}"


@pytest.mark.parametrize(("members", "field"), CONTAINERS, ids=[field for _, field in CONTAINERS])
def test_a_container_field_is_refused_by_name(members: dict[str, Any], field: str) -> None:
    """The message names the container and the field."""
    request = fargate(container(**members), executionRoleArn=ROLE)
    assert refusal(request) == f"{PREFIX}container 'web': {field}"


@pytest.mark.parametrize(("members", "field"), CONTAINERS, ids=[field for _, field in CONTAINERS])
def test_what_does_not_qualify_for_fargate_is_kept(members: dict[str, Any], field: str) -> None:
    """Definitions for other launch types are stored whole; nothing here would run them."""
    accept(ec2(container(**members), executionRoleArn=ROLE))


def test_every_row_is_tested() -> None:
    """A row without a case here would be a promise that nothing holds."""
    assert [field.split(" ")[0] for _, field in (*TASKS, *CONTAINERS)] == FIELDS


def test_all_uses_come_in_one_message() -> None:
    """Nobody has to register again and again to learn the whole list."""
    request = fargate(
        container(logConfiguration={"logDriver": "splunk", "options": {"splunk-url": "u", "splunk-token": "t"}}),
        container(name="db", credentialSpecs=["credentialspec:arn"]),
        enableFaultInjection=True,
        executionRoleArn=ROLE,
    )
    assert refusal(request) == (
        f"{PREFIX}task definition: enableFaultInjection; container 'web': logConfiguration.logDriver (splunk); "
        "container 'db': credentialSpecs"
    )


def test_a_definition_that_could_run_on_fargate_is_refused_too() -> None:
    """Requiring nothing is no way around: RunTask would accept it for Fargate."""
    request = fargate(container(credentialSpecs=["credentialspec:arn"]), requiresCompatibilities=None)
    assert refusal(request) == f"{PREFIX}container 'web': credentialSpecs"


def test_saying_no_is_no_use() -> None:
    """False, empty and disabled are what is done anyway."""
    accept(
        fargate(
            container(
                secrets=[],
                environmentFiles=[],
                volumesFrom=[],
                credentialSpecs=[],
            ),
            enableFaultInjection=False,
            volumes=[{"name": "v", "host": {}, "configuredAtLaunch": False}],
        )
    )


@pytest.mark.parametrize("field", [*FIELDS, *unsupported.KEPT])
def test_the_parity_reference_names_it(field: str) -> None:
    """Whoever reads the reference learns of every refusal and of every field without effect."""
    assert f"| `{field}` |" in PARITY.read_text()
