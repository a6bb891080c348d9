"""Dependencies that can never be met, and health checks that can't work, are refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from fakes.definitions import container, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

CHECK = {"command": ["CMD", "true"]}


def depends(*on: tuple[str, str]) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition} for name, condition in on]


@pytest.mark.parametrize(
    ("condition", "target", "message"),
    [
        (
            "SUCCESS",
            {},
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (
            "COMPLETE",
            {"essential": True},
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        ("HEALTHY", {}, "A dependency container with HEALTHY condition must have health check configured"),
        ("START", {"name": "other"}, "Cannot depend on container + 'db' because it does not exist"),
    ],
)
def test_conditions_that_cannot_come_true_are_refused(condition: str, target: dict[str, Any], message: str) -> None:
    """Each condition asks something of the container it waits for."""
    request = fargate(container(dependsOn=depends(("db", condition))), container(**{"name": "db", **target}))
    assert refusal(request) == message


@pytest.mark.parametrize(
    ("condition", "target"),
    [
        ("START", {}),
        ("COMPLETE", {"essential": False}),
        ("SUCCESS", {"essential": False}),
        ("HEALTHY", {"healthCheck": CHECK}),
    ],
)
def test_all_four_conditions_are_accepted(condition: str, target: dict[str, Any]) -> None:
    """Essential containers may wait for all four."""
    accept(fargate(container(dependsOn=depends(("db", condition))), container(name="db", **target)))


def test_cycles_are_refused_with_their_way() -> None:
    """The containers that wait for one another are named in the order of their waiting."""
    ring = {"a": "b", "b": "c", "c": "a"}
    containers = [container(name=name, dependsOn=depends((on, "START"))) for name, on in ring.items()]
    prefix = "Container dependencies must not form a cycle: "
    message = refusal(fargate(*containers))
    assert message.startswith(prefix)
    way = message.removeprefix(prefix).split(" -> ")
    assert way[0] == way[-1]
    assert sorted(way[1:]) == ["a", "b", "c"]
    assert all(ring[one] == next_one for one, next_one in itertools.pairwise(way))


def test_a_container_cannot_wait_for_itself() -> None:
    """The shortest cycle."""
    message = refusal(fargate(container(dependsOn=depends(("web", "START")))))
    assert message == "Container dependencies must not form a cycle: web -> web"


def test_diamonds_are_no_cycles() -> None:
    """Two ways to one container are fine."""
    accept(
        fargate(
            container(name="a", dependsOn=depends(("b", "START"), ("c", "START"))),
            container(name="b", dependsOn=depends(("d", "START"))),
            container(name="c", dependsOn=depends(("d", "START"))),
            container(name="d"),
        )
    )


def test_volumes_from_needs_its_source() -> None:
    """The container that lends its volumes must be there."""
    request = fargate(container(volumesFrom=[{"sourceContainer": "none"}]))
    assert refusal(request) == "Invalid 'volumesFrom' setting. Unknown container: 'none'"


def test_volumes_from_waits_for_its_source() -> None:
    """So it closes cycles, by itself and together with dependsOn."""
    cycle = "Container dependencies must not form a cycle: "
    own = fargate(container(name="a", volumesFrom=[{"sourceContainer": "a"}]))
    assert refusal(own) == f"{cycle}a -> a"
    both = fargate(
        container(name="a", volumesFrom=[{"sourceContainer": "b"}]),
        container(name="b", dependsOn=depends(("a", "START"))),
    )
    assert refusal(both).startswith(cycle)
    accept(fargate(container(name="a", volumesFrom=[{"sourceContainer": "b"}]), container(name="b")))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)],
)
def test_health_numbers_have_ranges(name: str, low: int, high: int) -> None:
    """Both ends are in, one beyond is out."""
    message = f"Invalid setting for container 'web'. The health check's '{name}' must be between {low} and {high}."
    for value in (low - 1, high + 1):
        assert refusal(fargate(container(healthCheck={**CHECK, name: value}))) == message
    for value in (low, high):
        accept(fargate(container(healthCheck={**CHECK, name: value})))


@pytest.mark.parametrize("command", [[], ["CMD"], ["CMD-SHELL"], ["CMD-SHELL", ""], [""]])
def test_health_checks_need_a_command(command: list[str]) -> None:
    """A check that runs nothing would never be healthy."""
    message = "Invalid setting for container 'web'. The health check's command must not be empty."
    assert refusal(fargate(container(healthCheck={"command": command}))) == message
