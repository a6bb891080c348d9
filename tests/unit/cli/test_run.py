"""What `tidegate run` makes of its command line."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tidegate.cli.definition import EXECUTION_ROLE, RunOptions, family_of, plan_definition
from tidegate.cli.main import main
from tidegate.cli.ports import Port, PortType


@pytest.mark.parametrize(
    ("text", "port", "tag"),
    [
        ("80", Port(80, 80), "80:80/tcp"),
        ("8080:80", Port(8080, 80), "8080:80/tcp"),
        ("0.0.0.0:53:5353/udp", Port(53, 5353, "udp", "0.0.0.0"), "0.0.0.0:53:5353/udp"),
    ],
)
def test_ports(text: str, port: Port, tag: str):
    """A port is written as docker writes it, and goes into the tag with all its parts."""
    parsed = PortType().convert(text, None, None)

    assert parsed == port
    assert parsed.tag == tag


@pytest.mark.parametrize("text", ["", "x", "80:", "0:80", "8080:70000", "1.2.3.4:80:80/sctp", "80;rm"])
def test_bad_ports(text: str):
    """What is no port is refused, with an example."""
    with pytest.raises(click.BadParameter, match=r"(?i)port"):
        PortType().convert(text, None, None)


@pytest.mark.parametrize(
    ("image", "family"),
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("ghcr.io/acme/web.app:3", "web-app"),
        ("127.0.0.1:5000/x@sha256:" + "0" * 64, "x"),
    ],
)
def test_family(image: str, family: str):
    """The family is the image's last name."""
    assert family_of(image) == family


def test_definition():
    """The options land where Fargate has them, and the output is kept."""
    options = RunOptions(
        image="app",
        arguments=("serve",),
        name=None,
        cpu="256",
        memory="512",
        publish=(Port(8080, 80),),
        env=("A=1", "B=x=y"),
        entrypoint="/bin/app",
        user="web",
        workdir="/srv",
        health_cmd="check",
        read_only=True,
        init=True,
        task_role="worker",
    )
    request = plan_definition(options, "eu-north-1")
    (container,) = request.container_definitions

    assert (request.task_role_arn, request.execution_role_arn) == ("worker", EXECUTION_ROLE)

    assert container.entry_point == ("/bin/app",)
    assert container.command == ("serve",)
    assert [(e.name, e.value) for e in container.environment or ()] == [("A", "1"), ("B", "x=y")]
    assert container.readonly_root_filesystem
    assert container.health_check is not None
    assert container.health_check.command == ("CMD-SHELL", "check")
    assert [m.container_port for m in container.port_mappings or ()] == [80]
    assert container.log_configuration is not None
    assert (container.log_configuration.options or {})["awslogs-region"] == "eu-north-1"


def test_help_lists_every_command_and_each_has_help():
    """`tidegate --help` imports no command, and every command that it lists explains itself, by an example."""
    runner = CliRunner()
    listed = runner.invoke(main, ["--help"])
    assert listed.exit_code == 0
    for name in main.list_commands(click.Context(main)):
        assert name in listed.output
        shown = runner.invoke(main, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert "Usage:" in shown.output
        assert name in ("env", "image") or f"\n  tidegate {name}" in shown.output or name == "completion", "an example"


def test_unknown_command_suggests():
    """A command that does not exist gets the nearest one suggested."""
    result = CliRunner().invoke(main, ["log"])

    assert result.exit_code == 2
    assert "Did you mean `logs`?" in result.output
