"""The stored form: AWS's defaults filled in, everything else as it was given."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fakes.definitions import container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept
from tidegate.services.ecs.definitions.normalise import health_command, normalise


def stored(**members: Any) -> dict[str, Any]:
    definition = msgspec.to_builtins(accept(fargate(container(**members))))
    result: dict[str, Any] = definition["containerDefinitions"][0]
    return result


def test_a_container_gets_its_defaults() -> None:
    """What AWS answers for a container with nothing but a name and an image."""
    assert stored() == {
        "name": "web",
        "image": "nginx:1.27",
        "cpu": 0,
        "essential": True,
        "environment": (),
        "mountPoints": (),
        "volumesFrom": (),
        "portMappings": (),
        "systemControls": (),
    }


def test_a_task_gets_its_defaults() -> None:
    """Units become numbers in strings, absent lists empty ones, and what was not required is not there."""
    definition = msgspec.to_builtins(accept(fargate(cpu=".25 vCPU", memory="1 GB")))
    assert definition["cpu"] == "256"
    assert definition["memory"] == "1024"
    assert definition["volumes"] == ()
    assert definition["placementConstraints"] == ()
    assert definition["requiresCompatibilities"] == ("FARGATE",)
    assert "requiresCompatibilities" not in msgspec.to_builtins(accept(ec2(requiresCompatibilities=[])))
    assert accept(ec2()).network_mode == "bridge"


def test_ports_are_filled_in_by_network_mode() -> None:
    """The container's own port in awsvpc, a port to be chosen with a bridge; TCP."""
    mapping = {"containerPort": 80, "name": "http", "appProtocol": "http"}
    assert stored(portMappings=[mapping])["portMappings"] == ({**mapping, "hostPort": 80, "protocol": "tcp"},)
    bridged = accept(ec2(container(portMappings=[mapping]))).container_definitions
    assert bridged is not None
    assert msgspec.to_builtins(bridged[0].port_mappings) == ({**mapping, "hostPort": 0, "protocol": "tcp"},)


def test_port_ranges_stay_as_given() -> None:
    """A range has no host port."""
    assert stored(portMappings=[{"containerPortRange": "80-90"}])["portMappings"] == (
        {"containerPortRange": "80-90", "protocol": "tcp"},
    )


def test_health_checks_get_three_defaults() -> None:
    """Interval, timeout and retries, but no start period."""
    check = stored(healthCheck={"command": ["CMD", "true"]})["healthCheck"]
    assert check == {"command": ("CMD", "true"), "interval": 30, "timeout": 5, "retries": 3}


def test_volumes_without_a_source_are_empty_directories() -> None:
    """AWS answers `host: {}`."""
    definition = accept(fargate(volumes=[{"name": "v"}]))
    assert msgspec.json.encode(definition.volumes) == b'[{"name":"v","host":{}}]'


def test_what_was_given_stays() -> None:
    """Empty lists of other members, and members that mean something on AWS alone."""
    given = {"entryPoint": [], "command": ["a", "b"], "versionConsistency": "disabled", "dockerLabels": {"a": "b"}}
    assert {name: stored(**given)[name] for name in given} == {**given, "entryPoint": (), "command": ("a", "b")}
    definition = accept(fargate(taskRoleArn="role", executionRoleArn="other"))
    assert (definition.task_role_arn, definition.execution_role_arn) == ("role", "other")


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (["CMD-SHELL", "curl -f x || exit 1"], ["CMD-SHELL", "curl -f x || exit 1"]),
        (["CMD", "curl", "-f", "x"], ["CMD", "curl", "-f", "x"]),
        (["CMD-SHELL curl -f x || exit 1"], ["CMD-SHELL", "curl -f x || exit 1"]),
        (["CMD-SHELL, curl -f x || exit 1"], ["CMD-SHELL", "curl -f x || exit 1"]),
        (["CMD curl -f 'a b'"], ["CMD", "curl", "-f", "a b"]),
        (["CMD, curl, -f, x"], ["CMD", "curl", "-f", "x"]),
        (["/check.sh"], ["CMD", "/check.sh"]),
        (["curl", "-f", "x"], ["CMD", "curl", "-f", "x"]),
        (["CMDER", "x"], ["CMD", "CMDER", "x"]),
    ],
)
def test_health_commands_start_with_their_kind(given: list[str], normal: list[str]) -> None:
    """The single-string forms are taken apart; a command of neither kind is CMD; the normal form stays."""
    assert health_command(tuple(given)) == tuple(normal)
    assert health_command(tuple(normal)) == tuple(normal)


def test_a_command_with_an_open_quote_is_refused() -> None:
    """What can't be taken apart into words is an error, not a guess."""
    message = refusal(fargate(container(healthCheck={"command": ["CMD curl 'x"]})))
    assert message.startswith("Invalid health check command")


def test_windows_has_a_network_mode_without_a_name() -> None:
    """Bridge is the default of Linux alone."""
    platform = {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}
    assert normalise(ec2(runtimePlatform=platform)).network_mode is None
