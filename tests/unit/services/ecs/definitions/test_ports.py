"""Port mappings: numbers, ranges, names, and no port twice."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

TWICE = "container port is used multiple times in task"
BAD_RANGE = "Invalid 'containerPortRange' setting."


@pytest.mark.parametrize(
    ("mappings", "message"),
    [
        (
            [{"containerPort": 80, "hostPort": 8080}],
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ),
        ([{"containerPort": 0}], "Invalid 'containerPort' setting: it must be between 1 and 65535."),
        ([{"containerPort": 65536}], "Invalid 'containerPort' setting: it must be between 1 and 65535."),
        ([{}], "Invalid 'containerPort' setting: it must be between 1 and 65535."),
        ([{"containerPort": 80}, {"containerPort": 80}], TWICE),
        ([{"containerPortRange": "80-90"}, {"containerPortRange": "90-99"}], TWICE),
        ([{"containerPortRange": "80-90"}, {"containerPort": 85}], TWICE),
        ([{"containerPortRange": "90-80"}], BAD_RANGE),
        ([{"containerPortRange": "80-80"}], BAD_RANGE),
        ([{"containerPortRange": "0-80"}], BAD_RANGE),
        ([{"containerPortRange": "80-65536"}], BAD_RANGE),
        ([{"containerPortRange": "80"}], BAD_RANGE),
        ([{"containerPortRange": "80-90", "containerPort": 80}], "cannot specify both single port and port range"),
        ([{"containerPortRange": "80-90", "hostPort": 80}], "cannot specify both single port and port range"),
        (
            [{"containerPortRange": f"{10 * n + 1}-{10 * n + 2}"} for n in range(101)],
            BAD_RANGE[:-1] + ". Container 'web' has more than 100 ranges.",
        ),
        (
            [{"containerPort": 80, "name": "http"}, {"containerPort": 81, "name": "http"}],
            "port mapping name is already used",
        ),
    ],
)
def test_a_fault_in_a_mapping_is_refused(mappings: list[dict[str, Any]], message: str) -> None:
    """One fault, one message."""
    assert refusal(fargate(container(portMappings=mappings))) == message


@pytest.mark.parametrize("name", ["", "-http", "HTTP", "a.b", "a" * 65])
def test_port_names_are_plain(name: str) -> None:
    """Lowercase letters, digits, underscores and hyphens, none of these first."""
    message = refusal(fargate(container(portMappings=[{"containerPort": 80, "name": name}])))
    assert message.startswith("Invalid port mapping name")


def test_containers_of_a_task_share_their_ports() -> None:
    """In awsvpc the second container could never bind; with a bridge each has ports of its own."""
    containers = [container(name=name, portMappings=[{"containerPort": 80}]) for name in ("a", "b")]
    assert refusal(fargate(*containers)) == TWICE
    accept(ec2(*containers))


def test_one_port_may_speak_two_protocols() -> None:
    """DNS and HTTP/3 listen on the same number by TCP and UDP."""
    mappings = [{"containerPort": 53, "protocol": "tcp"}, {"containerPort": 53, "protocol": "udp"}]
    accept(fargate(container(portMappings=mappings)))


@pytest.mark.parametrize(
    ("mode", "mapping", "message"),
    [
        (
            "host",
            {"containerPort": 80, "hostPort": 81},
            "When networkMode=host, the host ports and container ports in port mappings must match.",
        ),
        ("none", {"containerPort": 80}, "Port mappings are not supported when networkMode=none."),
        ("host", {"containerPortRange": "1-2"}, BAD_RANGE[:-1] + ": not supported when networkMode=host."),
        (
            "bridge",
            {"containerPort": 80, "hostPort": 65536},
            "Invalid 'hostPort' setting: 65536 is not between 0 and 65535.",
        ),
    ],
)
def test_other_network_modes_have_rules_too(mode: str, mapping: dict[str, Any], message: str) -> None:
    """What a mode has no room for is refused whoever runs the task."""
    assert refusal(ec2(container(portMappings=[mapping]), networkMode=mode)) == message
