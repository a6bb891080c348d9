"""The command line as a new user meets it: what it prints, what it exits with, what it says when something is wrong."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.server import PROGRAM, ServerProcess, leftovers, until

pytestmark = pytest.mark.host

REST = "trap 'exit 0' TERM; sleep 600 & wait"
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(server: ServerProcess) -> Cli:
    """Run a command; nothing that it says may be a traceback."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        done = server.cli(*arguments, **options)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tidegate` with nothing known of a server."""
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_task_from_run_to_stop(cli: Cli):
    """run -p, ps, logs, logs -f, describe and stop work together on the short id that run prints."""
    port = free_port()
    script = "echo serving; " + REST
    said = cli("run", "busybox", "--name", "shop", "-p", f"{port}:80", "--", "sh", "-c", script).stdout
    found = re.match(r"([0-9a-f]{12}) runs at (\S+), started in \d+ ms", said)
    assert found, said
    task, address = found.groups()
    assert f"http://127.0.0.1:{port} leads to its port 80" in said

    (line,) = [line for line in cli("ps").stdout.splitlines() if line.startswith(task)]
    assert "shop:" in line
    assert "RUNNING" in line
    assert address in line
    until(lambda: cli("logs", task).stdout == "serving\n", "the output is there")
    assert cli("logs", "shop").stdout == "serving\n"
    described = cli("describe", task).stdout
    assert all(word in described for word in ("RUNNING", address, "place", "network", "create shop", "start shop"))

    cli("stop", task)
    ended = cli("describe", task).stdout
    assert "STOPPED" in ended
    assert "UserInitiated" in ended
    assert task not in cli("ps").stdout
    assert "STOPPED" in next(line for line in cli("ps", "-a").stdout.splitlines() if line.startswith(task))


def test_logs_follow_to_the_end(cli: Cli, server: ServerProcess):
    """`logs -f` shows what comes and returns when the task has ended."""
    script = "for i in 1 2 3; do echo line $i; sleep 0.2; done"
    task = cli("run", "busybox", "-d", "--", "sh", "-c", script).stdout.strip()
    assert cli("logs", "-f", task).stdout == "line 1\nline 2\nline 3\n"


def test_logs_of_a_kind(cli: Cli):
    """`logs` shows the lines that match a filter pattern, of a time, or the last; what is no pattern is explained."""
    script = """echo '{"n": 1}'; echo '{"n": 5}'; echo plain; echo '{"n": 9}'"""
    task = cli("run", "busybox", "-d", "--", "sh", "-c", script).stdout.strip()
    until(lambda: len(cli("logs", task).stdout.splitlines()) == 4, "the output is there")
    assert cli("logs", task, "--filter", "{ $.n > 3 }").stdout == '{"n": 5}\n{"n": 9}\n'
    assert cli("logs", task, "--filter", "{ $.n > 3 }", "-n", "1").stdout == '{"n": 9}\n'
    assert cli("logs", task, "-f", "--filter", "plain", "--since", "1h").stdout == "plain\n"
    assert cli("logs", task, "--since", "0s").stdout == ""
    assert cli("logs", task, "-n", "2").stdout == 'plain\n{"n": 9}\n'
    assert cli("logs", task, "-n", "0").stdout == ""
    refused = cli("logs", task, "--filter", "{ $.n > x }", check=False)
    assert refused.returncode == 2
    assert "expected a number after >" in refused.stderr


def test_run_wait_has_the_exit_code(cli: Cli):
    """`run --wait` shows the output and exits with the container's code; environment and user are passed on."""
    script = "echo hello $WHO from $(id -un); exit 42"
    done = cli("run", "busybox", "--wait", "-e", "WHO=tide", "-u", "app", "--", "sh", "-c", script, check=False)

    assert done.returncode == 42
    assert done.stdout == "hello tide from app\n"


def test_run_that_cannot_start(cli: Cli):
    """A task that does not start: the reason, and an exit code that tells."""
    done = cli("run", "127.0.0.1:1/no/such:image", check=False)
    assert done.returncode == 1
    assert "the task did not start: CannotPullContainerError: " in done.stderr
    assert cli("run", "busybox", "--wait", "--", "/no/such/program", check=False).returncode == 125


def test_images(cli: Cli, busybox: Path, tmp_path: Path):
    """image import, images, export, rm, prune; the export can be imported again."""
    assert "docker.io/library/copy:1  sha256:" in cli("image", "import", str(busybox), "--tag", "copy:1").stdout
    assert "copy" in cli("images").stdout
    archive = tmp_path / "copy.tar"
    cli("image", "export", "copy:1", str(archive))
    cli("image", "import", str(archive), "--tag", "again:1")
    cli("image", "rm", "copy:1", "again:1")
    assert "copy" not in cli("images").stdout
    assert "MB freed" in cli("image", "prune").stdout
    assert cli("run", "busybox", "--wait", "--", "true").returncode == 0


def test_doctor_and_env(cli: Cli, server: ServerProcess):
    """doctor has a line for each part of the host; env prints exports that a shell reads."""
    text = cli("doctor", check=False).stdout
    assert all(word in text for word in ("cgroups", "overlayfs", "conmon", "nftables", "KVM", "memory"))
    exports = cli("env").stdout
    assert f"export AWS_ENDPOINT_URL={server.state.read_identity().endpoint}" in exports
    assert all(line.startswith(("export AWS_", "unset AWS_SESSION_TOKEN")) for line in exports.splitlines())
    assert cli("env", "--unset").stdout.startswith("unset AWS_ENDPOINT_URL")


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (["rnu"], "Did you mean `run`?"),
        (["ps", "--al"], "--all"),
        (["run"], "Missing argument 'IMAGE'"),
        (["run", "busybox", "-p", "99999"], "`99999` has a port that is not between 1 and 65535"),
        (["run", "busybox", "-e", "X"], "`X` is not NAME=VALUE"),
        (["server", "--listen", "here"], "`here` is not ADDRESS:PORT"),
    ],
)
def test_mistakes_of_the_user(cli: Cli, arguments: list[str], hint: str):
    """A wrong command or option exits with 2 and says what is right."""
    done = cli(*arguments, check=False)
    assert done.returncode == 2
    assert hint in done.stderr


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["describe", "nothing"], "there is no task `nothing`"),
        (["logs", "nothing"], "there is no task `nothing`"),
        (["stop", "nothing"], "there is no task `nothing`"),
        (["image", "rm", "nothing"], "there is no image nothing"),
        (["image", "export", "nothing", "/tmp/nothing.tar"], "there is no such image"),
        (["run", "busybox", "--cpu", "17"], "17"),
        (["run", "busybox", "--cluster", "nothing"], "Cluster not found"),
    ],
)
def test_what_is_not_there(cli: Cli, arguments: list[str], why: str):
    """What the server refuses is one line on standard error, and 1."""
    done = cli(*arguments, check=False)
    assert done.returncode == 1
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_server(tmp_path: Path):
    """Without a server: which directory was looked at, and how to start one."""
    done = program("ps", "--state-dir", str(tmp_path / "none"))
    assert done.returncode == 1
    assert f"tidegate server --state-dir {tmp_path / 'none'}" in done.stderr


def test_second_server_on_the_same_state(server: ServerProcess):
    """A state directory has one server; the second is told who has it."""
    assert server.process is not None
    done = program("server", "--state-dir", str(server.state.path), "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert f"process {server.process.pid}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_taken_port(tmp_path: Path):
    """A port that somebody listens on is named, with the option that chooses another; nothing is made."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = program("server", "--state-dir", str(tmp_path / "state"), "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "--listen" in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "options, why",
    [
        (["--vpc-cidr", "10.0.0.0/8"], "between /16 and /24"),
        (["--vpc-cidr", "8.8.0.0/16"], "private"),
        (["--vpc-cidr", "x"], "cannot use `x` for the VPC"),
        (["--insecure-no-auth", "--listen", "0.0.0.0:0"], "--insecure-no-auth"),
        (["--account-id", "12"], "12 digits"),
        (["--region", "moon"], "us-east-1"),
    ],
)
def test_refused_configurations(tmp_path: Path, options: list[str], why: str):
    """A server that can't be run like this says what to change."""
    done = program("server", "--state-dir", str(tmp_path / "state"), "--listen", "127.0.0.1:0", *options)
    assert done.returncode == 1
    assert why in done.stderr


def test_range_that_the_host_uses(server: ServerProcess, tmp_path: Path):
    """A range that another server has is refused in words; nothing is made, and another one can be named."""
    (vpc,) = server.client("ec2").describe_vpcs()["Vpcs"]
    taken = vpc["CidrBlock"]
    other = ServerProcess(tmp_path / "state", "--vpc-cidr", "10.214.0.0/20")
    done = program("server", "--state-dir", str(other.state.path), "--listen", "127.0.0.1:0", "--vpc-cidr", taken)
    assert done.returncode == 1
    assert taken in done.stderr
    assert leftovers(other) == []
    try:
        other.start()
    finally:
        other.teardown()
    assert leftovers(other) == []


def test_not_root(tmp_path: Path):
    """Without root the server says so and makes nothing."""
    directory = tmp_path / "state"
    program_text = "import os; os.geteuid = lambda: 65534; from tidegate.cli.main import main; main()"
    arguments = ["server", "--state-dir", str(directory), "--listen", "127.0.0.1:0"]
    done = subprocess.run(
        [sys.executable, "-c", program_text, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "root" in done.stderr
    assert "Traceback" not in done.stderr
    assert not directory.exists()
