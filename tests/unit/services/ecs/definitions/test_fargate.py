"""What Fargate alone refuses, with AWS's texts; and what is not enforced when Fargate is not required."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import ROLE, container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

DEFINITIONS = "Fargate compatible task definitions do not support "
TASKS = "Tasks using the Fargate launch type "
ECR = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/app:1"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"networkMode": None}, "Fargate only supports network mode ‘awsvpc’."),
        ({"networkMode": "bridge"}, "Fargate only supports network mode ‘awsvpc’."),
        (
            {"pidMode": "host"},
            TASKS + "do not support pidMode 'host'. The supported value for pidMode is 'task'.",
        ),
        ({"ipcMode": "task"}, DEFINITIONS + "ipcMode"),
        (
            {"placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}]},
            DEFINITIONS + "constraints",
        ),
        (
            {"inferenceAccelerators": [{"deviceName": "d", "deviceType": "eia1.medium"}]},
            "Unsupported field 'inferenceAccelerators'",
        ),
        ({"volumes": [{"name": "v", "host": {"sourcePath": "/data"}}]}, DEFINITIONS + "sourcePath"),
        (
            {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"driver": "local"}}]},
            DEFINITIONS + "dockerVolumeConfiguration",
        ),
        ({"ephemeralStorage": {"sizeInGiB": 20}}, "EphemeralStorage size should be at least 21"),
        ({"ephemeralStorage": {"sizeInGiB": 201}}, "EphemeralStorage size should be at most 200"),
        (
            {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2016_FULL"}, "cpu": "1024", "memory": "2048"},
            TASKS + "do not support operatingSystemFamily 'WINDOWS_SERVER_2016_FULL'.",
        ),
        (
            {
                "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "ARM64"},
                "cpu": "1024",
                "memory": "2048",
            },
            TASKS + "do not support cpuArchitecture 'ARM64' with 'WINDOWS_SERVER_2022_CORE'.",
        ),
    ],
)
def test_a_task_that_fargate_refuses(members: dict[str, Any], message: str) -> None:
    """One change to a valid definition, one message."""
    assert refusal(fargate(**members)) == message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"privileged": True}, "Fargate requires that the 'privileged' setting be 'false'"),
        ({"dockerSecurityOptions": ["no-new-privileges"]}, DEFINITIONS + "dockerSecurityOptions"),
        (
            {"resourceRequirements": [{"type": "GPU", "value": "1"}]},
            TASKS + "do not support GPU resource requirements",
        ),
        (
            {"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1048577}]},
            TASKS + "support at most 1048576 for the ulimit nofile.",
        ),
        ({"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}}, "NET_ADMIN is not allowed on Fargate."),
        ({"linuxParameters": {"capabilities": {"add": ["ALL"]}}}, "ALL is not allowed on Fargate."),
        ({"linuxParameters": {"maxSwap": 0}}, DEFINITIONS + "maxSwap"),
        ({"linuxParameters": {"swappiness": 60}}, DEFINITIONS + "swappiness"),
        ({"linuxParameters": {"devices": [{"hostPath": "/dev/kvm"}]}}, DEFINITIONS + "devices"),
        ({"stopTimeout": 121}, TASKS + "must have a container stop timeout of less than 120 seconds."),
        ({"stopTimeout": 1}, TASKS + "must have a container stop timeout of at least 2 seconds."),
        ({"startTimeout": 121}, TASKS + "must have a container start timeout of less than 120 seconds."),
        ({"startTimeout": 1}, TASKS + "must have a container start timeout of at least 2 seconds."),
        ({"image": ECR}, "Fargate requires task definition to have execution role ARN to support ECR images."),
        ({"cpu": 257}, "The sum of all container 'cpu' values cannot be greater than the task-level 'cpu' value"),
    ],
)
def test_a_container_that_fargate_refuses(members: dict[str, Any], message: str) -> None:
    """One change to a valid container, one message."""
    assert refusal(fargate(container(**members))) == message


def test_containers_share_what_the_task_has() -> None:
    """The sums count, not the largest; what a container doesn't limit is not counted."""
    message = "The sum of all container 'memory' values cannot be greater than the task-level 'memory' value"
    assert refusal(fargate(container(name="a", memory=256), container(name="b", memory=257))) == message
    assert refusal(fargate(container(name="a", memory=256), container(name="b", memoryReservation=257))) == message
    accept(fargate(container(name="a", memory=256, cpu=128), container(name="b", memory=256, cpu=128)))
    accept(fargate(container(name="a", memory=512), container(name="b")))


def test_both_ends_of_the_timeouts_are_accepted() -> None:
    """2 and 120 seconds, though AWS's text says "less than 120"."""
    accept(fargate(container(startTimeout=2, stopTimeout=120)))
    accept(fargate(container(startTimeout=120, stopTimeout=2)))


def test_private_images_are_accepted_with_a_role() -> None:
    """The role is what AWS would pull by."""
    accept(fargate(container(image=ECR), executionRoleArn=ROLE))
    accept(fargate(container(image="public.ecr.aws/nginx/nginx:latest")))


def test_linux_runs_on_both_architectures() -> None:
    """X86_64 and ARM64."""
    for architecture in ("X86_64", "ARM64"):
        platform = {"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"}
        accept(fargate(runtimePlatform=platform))


def test_nothing_is_enforced_as_fargates_unless_required() -> None:
    """A definition that requires nothing may be what Fargate would refuse; it then doesn't qualify for it."""
    for request in (
        ec2(container(privileged=True)),
        ec2(container(privileged=True), networkMode="awsvpc"),
        ec2(container(stopTimeout=600), networkMode="awsvpc", cpu="300"),
    ):
        definition = accept(request)
        assert "FARGATE" not in (definition.compatibilities or ())
        assert definition.requires_compatibilities is None


def test_fargate_rules_bind_beside_other_launch_types() -> None:
    """A definition for both must satisfy both."""
    request = fargate(container(privileged=True), requiresCompatibilities=["EC2", "FARGATE"])
    assert refusal(request) == "Fargate requires that the 'privileged' setting be 'false'"
