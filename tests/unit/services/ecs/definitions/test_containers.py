"""Every fault in the list of containers is refused with its own text."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

SETTING = "Invalid setting for container 'web'. "
HEX = "a" * 64


@pytest.mark.parametrize("family", ["", "a b", "a.b", "ä", "a" * 256, "a\n"])
def test_family_is_plain(family: str) -> None:
    """1-255 letters, digits, hyphens and underscores."""
    assert refusal(fargate(family=family)) == "Family contains invalid characters."


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": None}, "Container.name should not be null or empty."),
        ({"name": ""}, "Container.name should not be null or empty."),
        ({"name": "a/b"}, "Container.name contains invalid characters."),
        ({"name": "a" * 256}, "Container.name contains invalid characters."),
        ({"image": None}, "Container.image should not be null or empty."),
        ({"image": ""}, "Container.image should not be null or empty."),
        ({"image": "nginx latest"}, "Container.image contains invalid characters."),
        ({"image": "nginx@sha256:abc"}, "Container.image contains invalid characters."),
        ({"image": f"nginx@sha512:{HEX}"}, "Container.image contains invalid characters."),
        ({"image": "a" * 256}, "Container.image cannot be longer than 255 characters."),
        ({"cpu": -1}, SETTING + "'cpu' must not be negative."),
        ({"memory": 5}, SETTING + "'memory' must be at least 6."),
        ({"memoryReservation": 0}, SETTING + "'memoryReservation' must be at least 6."),
        (
            {"memory": 100, "memoryReservation": 101},
            SETTING + "'memory' must be greater than or equal to 'memoryReservation'.",
        ),
        ({"memory": 513}, "The 'memory' setting for container 'web' is greater than for the task"),
        ({"essential": False}, "Task definition doesn't have any essential container"),
        (
            {"user": "a:b:c"},
            SETTING + "'user' must be one of user, user:group, uid, uid:gid, user:gid, uid:group.",
        ),
        ({"command": ["a\0b"]}, SETTING + "Text must not contain a null character."),
        ({"dockerLabels": {"a": "\0"}}, SETTING + "Text must not contain a null character."),
        (
            {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 59}},
            "the 'restartAttemptPeriod' setting for container 'web' must be between 60 and 1800",
        ),
        (
            {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 1801}},
            "the 'restartAttemptPeriod' setting for container 'web' must be between 60 and 1800",
        ),
        (
            {"restartPolicy": {"enabled": True, "ignoredExitCodes": list(range(51))}},
            "the 'ignoredExitCodes' setting for container 'web' must have at most 50 entries",
        ),
        (
            {
                "environment": [{"name": "A", "value": "1"}],
                "secrets": [{"name": "A", "valueFrom": "parameter"}],
            },
            "The secret name must be unique and not shared with any new or existing environment variables "
            "set on the container, such as 'A'.",
        ),
        (
            {"secrets": [{"name": "B", "valueFrom": "one"}, {"name": "B", "valueFrom": "two"}]},
            "The secret name must be unique and not shared with any new or existing environment variables "
            "set on the container, such as 'B'.",
        ),
    ],
)
def test_a_fault_in_a_container_is_refused(members: dict[str, Any], message: str) -> None:
    """One change to a valid container, one message."""
    assert refusal(fargate(container(**members))) == message


@pytest.mark.parametrize(
    "variable", [{"value": "1"}, {"name": "", "value": "1"}, {"name": "A=B"}, {"name": "A", "value": "\0"}]
)
def test_environment_variables_have_proper_names(variable: dict[str, str]) -> None:
    """What no process could be given is refused before it starts."""
    message = refusal(fargate(container(environment=[variable])))
    assert message.startswith(SETTING + "An environment variable's name must not be empty")


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nginx:1.27",
        "registry.example.com:5000/team/app_x:v1.2-rc#3",
        f"repo/app@sha256:{HEX}",
        "a" * 255 + f"@sha256:{HEX.upper()}",
    ],
)
def test_references_in_aws_syntax_are_accepted(image: str) -> None:
    """Tags, ports, paths and digests; the limit counts what is before the digest."""
    definition = accept(fargate(container(image=image)))
    assert definition.container_definitions is not None
    assert definition.container_definitions[0].image == image


@pytest.mark.parametrize("user", ["nginx", "1000", "nginx:www-data", "1000:1000", "nginx:101", "0:adm", ""])
def test_users_in_all_six_forms_are_accepted(user: str) -> None:
    """Names and numbers, with or without a group."""
    accept(fargate(container(user=user)))


def test_the_list_has_one_to_ten() -> None:
    """No container is too few, eleven are too many, ten are not."""
    many = [container(name=f"c{number}") for number in range(11)]
    assert refusal(fargate(containerDefinitions=[])) == "Container list cannot be empty."
    assert refusal(fargate(*many)) == "Too many containers"
    accept(fargate(*many[:10]))


def test_names_are_unique() -> None:
    """Two containers of one name can't be told apart."""
    assert refusal(fargate(container(), container())) == "Container names must be unique within a task definition."


def test_memory_is_needed_somewhere() -> None:
    """Without a task-level memory each container must say its own."""
    message = SETTING + "At least one of 'memory' or 'memoryReservation' must be specified."
    assert refusal(ec2(memory=None)) == message
    accept(ec2(container(memoryReservation=64), memory=None))


def test_equal_memory_and_reservation_are_accepted() -> None:
    """Seen to be accepted, though AWS's reference says "greater than"."""
    accept(fargate(container(memory=128, memoryReservation=128)))
