"""What a definition qualifies for, and the capabilities that it would need of a container instance."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import ROLE, container, ec2, fargate, refusal
from tidegate.api import ecs
from tidegate.services.ecs.definitions.acceptance import accept

AGENT = "com.amazonaws.ecs.capability."


def names(request: ecs.RegisterTaskDefinitionRequest) -> set[str]:
    return {attribute.name for attribute in accept(request).requires_attributes or ()}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, ("EXTERNAL", "EC2")),
        ({"networkMode": "host"}, ("EXTERNAL", "EC2")),
        ({"networkMode": "none"}, ("EXTERNAL", "EC2")),
        ({"networkMode": "awsvpc"}, ("EC2",)),
        ({"networkMode": "awsvpc", "cpu": ".25 vCPU"}, ("EC2", "MANAGED_INSTANCES", "FARGATE")),
        ({"networkMode": "awsvpc", "cpu": "256", "memory": "8192"}, ("EC2",)),
        ({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}, ("EC2",)),
        ({"requiresCompatibilities": ["EXTERNAL"]}, ("EXTERNAL", "EC2")),
        ({"requiresCompatibilities": ["MANAGED_INSTANCES"]}, ("EXTERNAL", "EC2", "MANAGED_INSTANCES")),
    ],
)
def test_compatibilities_follow_from_the_definition(members: dict[str, Any], expected: tuple[str, ...]) -> None:
    """The network mode decides, and with awsvpc whether Fargate's rules are kept."""
    assert accept(ec2(**members)).compatibilities == expected


def test_fargate_qualifies_for_what_it_requires() -> None:
    """What passed Fargate's rules qualifies for Fargate."""
    assert accept(fargate()).compatibilities == ("EC2", "MANAGED_INSTANCES", "FARGATE")


def test_requirements_that_cannot_be_met_are_refused() -> None:
    """External instances have no awsvpc, container instances no storage of Fargate's."""
    assert refusal(fargate(requiresCompatibilities=["EXTERNAL"])) == (
        "Tasks using the EXTERNAL launch type do not support network mode ‘awsvpc’."
    )
    assert refusal(ec2(requiresCompatibilities=["EC2"], ephemeralStorage={"sizeInGiB": 30})) == (
        "Tasks using the EC2 launch type do not support EphemeralStorage"
    )


def test_plain_fargate_needs_an_interface_only() -> None:
    """As AWS answers for a definition with nothing special."""
    assert names(fargate()) == {"ecs.capability.task-eni", AGENT + "docker-remote-api.1.18"}


@pytest.mark.parametrize(
    ("request_", "attributes"),
    [
        (fargate(taskRoleArn=ROLE), {AGENT + "task-iam-role"}),
        (fargate(container(memoryReservation=64)), {AGENT + "docker-remote-api.1.21"}),
        (fargate(container(stopTimeout=10)), {"ecs.capability.container-ordering"}),
        (
            fargate(container(healthCheck={"command": ["CMD", "true"], "startPeriod": 3})),
            {
                "ecs.capability.container-health-check",
                AGENT + "docker-remote-api.1.24",
                AGENT + "docker-remote-api.1.29",
            },
        ),
        (
            fargate(
                container(image="123456789012.dkr.ecr.eu-north-1.amazonaws.com/app:1"),
                executionRoleArn=ROLE,
            ),
            {AGENT + "ecr-auth", "ecs.capability.execution-role-ecr-pull"},
        ),
        (
            fargate(
                container(
                    logConfiguration={
                        "logDriver": "awslogs",
                        "options": {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"},
                    }
                ),
                executionRoleArn=ROLE,
            ),
            {
                AGENT + "logging-driver.awslogs",
                AGENT + "docker-remote-api.1.19",
                "ecs.capability.execution-role-awslogs",
            },
        ),
    ],
)
def test_each_feature_has_its_attributes(request_: ecs.RegisterTaskDefinitionRequest, attributes: set[str]) -> None:
    """What a feature asks of the agent is listed beside the least."""
    assert names(request_) == attributes | names(fargate())


def test_attributes_of_other_launch_types() -> None:
    """Features that Tidegate refuses on Fargate are still described for EC2."""
    request = ec2(
        container(
            privileged=True,
            secrets=[
                {"name": "A", "valueFrom": "arn:aws:secretsmanager:eu-north-1:123456789012:secret:s"},
                {"name": "B", "valueFrom": "parameter"},
            ],
        ),
        volumes=[{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
        executionRoleArn=ROLE,
    )
    assert names(request) == {
        AGENT + "privileged-container",
        "ecs.capability.task-cpu-mem-limit",
        "ecs.capability.secrets.asm.environment-variables",
        "ecs.capability.secrets.ssm.environment-variables",
        "ecs.capability.efs",
    }
