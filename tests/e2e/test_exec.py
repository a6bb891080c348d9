"""A shell in any container: through a terminal as a person has it, and through pipes as a script does."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.rootfs import BUSYBOX
from fixtures.seat import Seat, seat
from fixtures.server import PROGRAM, ServerProcess, until
from tidegate.kernel.process import list_pids, read_cmdline

pytestmark = pytest.mark.host

REST = "trap 'exit 0' TERM; sleep 600 & wait"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def task(server: ServerProcess) -> Iterator[str]:
    """A task of one container that does nothing."""
    name = server.cli("run", "busybox", "-d", "--", "sh", "-c", REST).stdout.strip()
    until(lambda: "RUNNING" in server.cli("ps").stdout, "the task runs")
    yield name
    server.cli("stop", name)


@pytest.fixture
def sit(server: ServerProcess, task: str) -> Callable[..., Any]:
    """Run `tidegate exec TASK ...` at a terminal."""

    def sit(*arguments: str, **options: Any) -> Any:
        environment = {**server.environment, "TERM": "vt220"}
        return seat([*PROGRAM, "exec", task, *arguments], environment, **options)

    return sit


def commands_with(word: str) -> list[int]:
    return [pid for pid in list_pids() if word in read_cmdline(pid)]


def shell(person: Seat) -> None:
    """Wait for a prompt."""
    person.see("/ # ")


def test_a_terminal(sit: Callable[..., Any]):
    """A prompt, the window's size and its changes, Ctrl-C for what runs there, Ctrl-D, and our terminal as before."""
    with sit(rows=33, columns=101) as person:
        shell(person)
        assert person.is_raw
        person.type("stty size; echo $TERM; tty\r")
        person.see("33 101\r\n")
        person.see("vt220\r\n")
        person.see("/dev/pts/")
        person.resize(44, 120)
        person.type("while ! stty size | grep '44 120'; do sleep 0.1; done\r")
        person.see("44 120\r\n")
        shell(person)
        person.type("sleep 4711\r")
        until(lambda: commands_with("4711"), "the command runs there")
        person.type("\x03")
        shell(person)
        assert not commands_with("4711")
        person.type("\x04")
        assert person.wait() == 130, "that of the last command, which Ctrl-C ended"
        assert not person.is_raw


@pytest.mark.parametrize("code", [0, 7, 255])
def test_exit_codes_at_a_terminal(sit: Callable[..., Any], code: int):
    """The command's exit code is ours."""
    with sit("--", "sh", "-c", f"exit {code}") as person:
        assert person.wait() == code


def test_our_end_restores_the_terminal_and_ends_the_command(sit: Callable[..., Any]):
    """Told to end, we leave the terminal as it was; the command that nobody looks at any more is hung up."""
    with sit("--", "sleep", "4712") as person:
        until(lambda: commands_with("sleep") and person.is_raw, "the command runs there")
        person.process.send_signal(signal.SIGTERM)
        person.wait()
        assert not person.is_raw
    until(lambda: not _inside("4712"), "the command has ended", 10)


def test_a_client_that_is_killed(server: ServerProcess, task: str):
    """kill -9 of the client ends what it had started, though that ignores SIGHUP."""
    script = "trap '' HUP; sleep 4713 & sleep 4714"
    client = subprocess.Popen(
        [*PROGRAM, "exec", task, "--", "sh", "-c", script], stdin=subprocess.DEVNULL, env=server.environment
    )
    until(lambda: _inside("4713") and _inside("4714"), "the commands run")
    client.kill()
    client.wait()
    until(lambda: not _inside("4713") and not _inside("4714"), "they have ended", 15)


def _inside(word: str) -> list[int]:
    return [pid for pid in list_pids() if read_cmdline(pid) == ("sleep", word)]


def test_pipes_are_binary_clean(server: ServerProcess, task: str):
    """Ten megabytes go in by a pipe and come out unchanged; the end of input is seen."""
    sent = os.urandom(10 * MEGABYTE)
    done = server.cli("exec", task, "--", "cat", text=False, input=sent)
    assert done.stdout == sent


def test_output_and_errors_are_apart(server: ServerProcess, task: str):
    """Standard output and error arrive apart, and the exit code is passed through."""
    script = "echo out; echo err >&2; exit 3"
    done = server.cli("exec", task, "-I", "--", "sh", "-c", script, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_options(server: ServerProcess, task: str):
    """User, directory and variables are as asked; root in the container's directory otherwise."""
    script = "id -un; pwd; echo $COLOUR"
    asked = server.cli("exec", task, "-u", "app", "-w", "/tmp", "-e", "COLOUR=red", "--", "sh", "-c", script)
    assert asked.stdout == "app\n/tmp\nred\n"
    assert server.cli("exec", task, "--", "sh", "-c", script).stdout == "root\n/\n\n"


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["--", "no-such-program"], 127, "no-such-program: not found in the container"),
        (["-u", "nobody-here", "--", "sh"], 126, "unable to find user nobody-here"),
        (["-c", "other", "--", "sh"], 1, "the task has no container other; it has busybox"),
        (["-e", "X", "--", "sh"], 2, "`X` is not NAME=VALUE"),
        (["-w", "tmp", "--", "sh"], 1, "the working directory `tmp` is not an absolute path"),
    ],
)
def test_what_can_not_be_run(server: ServerProcess, task: str, arguments: list[str], code: int, said: str):
    """What is wrong is said in one line, with the exit code that a shell would have for it."""
    done = server.cli("exec", task, *arguments, check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes(server: ServerProcess, task: str):
    """`tidegate exec TASK -- yes | head` ends, in here and in there."""
    client = subprocess.Popen(
        [*PROGRAM, "exec", task, "--", "yes", "4715"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=server.environment,
    )
    assert client.stdout is not None
    assert client.stdout.read(5) == b"4715\n"
    client.stdout.close()
    assert client.wait(20) == 141
    until(lambda: not commands_with("4715"), "the writer has ended", 15)


def test_a_slow_reader_is_waited_for(server: ServerProcess, task: str):
    """A command that writes faster than we read is held: it does not fill the server's memory."""
    assert server.process is not None
    before = _resident_mib(server.process.pid)
    client = subprocess.Popen(
        [*PROGRAM, "exec", task, "--", "yes", "x" * 1000],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=server.environment,
    )
    assert client.stdout is not None
    client.stdout.read(1)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        assert _resident_mib(server.process.pid) < before + 30
        time.sleep(0.1)
    client.stdout.close()
    client.wait(20)


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def test_many_at_once(server: ServerProcess, task: str):
    """Sessions of one container run beside each other, each with its own input and output."""
    words = [f"word-{number}\n" for number in range(8)]
    clients = [
        subprocess.Popen(
            [*PROGRAM, "exec", task, "--", "sh", "-c", "read line; echo $line"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=server.environment,
        )
        for _ in words
    ]
    answers = [client.communicate(word, timeout=60)[0] for client, word in zip(clients, words, strict=True)]
    assert answers == words


def test_a_container_of_several(server: ServerProcess, run: Any, ecs: Any):
    """A task of several containers wants one named; each is reached."""
    found = run(
        {"name": "web", "command": ["sh", "-c", REST], "environment": [{"name": "WHO", "value": "web"}]},
        {"name": "db", "command": ["sh", "-c", REST], "environment": [{"name": "WHO", "value": "db"}]},
    )
    ecs.get_waiter("tasks_running").wait(tasks=[found["taskArn"]], WaiterConfig={"Delay": 1})
    name = found["taskArn"].rpartition("/")[2]
    refused = server.cli("exec", name, "--", "true", check=False)
    assert refused.returncode == 1
    assert "name one of web, db" in refused.stderr
    for container in ("web", "db"):
        assert server.cli("exec", name, "-c", container, "--", "sh", "-c", "echo $WHO").stdout == f"{container}\n"
    ecs.stop_task(task=found["taskArn"])


def test_an_image_with_nothing_but_its_program(server: ServerProcess, tmp_path: Path):
    """An image from scratch, read-only, with one program: a shell and its tools all the same, and no trace of them."""
    archive = tmp_path / "scratch.tar"
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo("sleep")
        data = BUSYBOX.read_bytes()
        info.size, info.mode = len(data), 0o755
        tar.addfile(info, io.BytesIO(data))
    server.cli("image", "import", str(archive), "--tag", "scratch")
    name = server.cli("run", "scratch", "-d", "--read-only", "--entrypoint", "/sleep", "--", "600").stdout.strip()
    until(lambda: server.cli("exec", name, "--", "true", check=False).returncode == 0, "it can be entered")
    listed = server.cli("exec", name, "--", "ls", "/").stdout
    assert listed.split() == ["dev", "etc", "proc", "sleep", "sys"]
    with seat([*PROGRAM, "exec", name], server.environment) as person:
        shell(person)
        person.type('ps | grep -c sleep; vi --help 2>&1 | head -1; echo "$0" | wc -l\r')
        person.see("BusyBox")
        shell(person)
        person.type("exit 5\r")
        assert person.wait() == 5
    assert server.cli("exec", name, "--", "ls", "/").stdout == listed
    assert server.cli("exec", name, "--", "/bin/bash", check=False).returncode == 127
    server.cli("stop", name)


def test_a_task_that_has_stopped(server: ServerProcess):
    """Its containers can't be entered; what to do is said."""
    name = server.cli("run", "busybox", "-d", "--", "true").stdout.strip()
    until(lambda: "STOPPED" in server.cli("describe", name).stdout, "it has stopped")
    done = server.cli("exec", name, "--", "sh", check=False)
    assert done.returncode == 1
    assert "container busybox is not running: it is STOPPED" in done.stderr


def test_sessions_end_with_their_task(server: ServerProcess, sit: Callable[..., Any]):
    """When the task is stopped, whoever is in it is told so by the end."""
    name = server.cli("run", "busybox", "-d", "--", "sh", "-c", REST).stdout.strip()
    until(lambda: server.cli("exec", name, "--", "true", check=False).returncode == 0, "it can be entered")
    client = subprocess.Popen(
        [*PROGRAM, "exec", name, "--", "sleep", "4716"], stdin=subprocess.DEVNULL, env=server.environment
    )
    until(lambda: _inside("4716"), "the command runs")
    server.cli("stop", name)
    assert client.wait(30) != 0


def test_a_server_that_is_killed(tmp_path: Path, busybox: Path):
    """kill -9 of the server: the client says so; the next server ends what nobody looks at, and the task goes on."""
    server = ServerProcess(tmp_path / "state").start()
    try:
        server.cli("image", "import", str(busybox), "--tag", "busybox")
        name = server.cli("run", "busybox", "-d", "--", "sh", "-c", REST).stdout.strip()
        until(lambda: server.cli("exec", name, "--", "true", check=False).returncode == 0, "it can be entered")
        client = subprocess.Popen(
            [*PROGRAM, "exec", name, "--", "sleep", "4717"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=server.environment,
        )
        until(lambda: _inside("4717"), "the command runs")
        server.kill()
        _, said = client.communicate(timeout=30)
        assert b"the connection to the server was lost" in said
        assert client.returncode == 1
        server.start()
        until(lambda: not _inside("4717"), "the command has ended", 10)
        assert server.cli("exec", name, "--", "echo", "still here").stdout == "still here\n"
    finally:
        server.teardown()


def test_the_shell_completes(server: ServerProcess, task: str):
    """Tasks that run by id and by family, their containers, and for `cp` their paths; nothing, and no noise, else."""

    def complete(line: str, state: Path | None = None) -> list[str]:
        words = ["tidegate", *line.split(" ")]
        environment = {
            **server.environment,
            **({"TIDEGATE_STATE_DIR": str(state)} if state else {}),
            "_TIDEGATE_COMPLETE": "bash_complete",
            "COMP_WORDS": "\n".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        program = [PROGRAM[0], "-c", "from tidegate.cli.main import main; main(prog_name='tidegate')"]
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=30)
        assert done.stderr == ""
        return done.stdout.split()

    short = task[:12]
    for command in ("exec", "forward", "why", "stop"):
        assert f"plain,{short}" in complete(f"{command} ")
        assert complete(f"{command} {short[:5]}") == [f"plain,{short}"]
    assert complete(f"exec {short} -c ") == ["plain,busybox"]
    assert complete(f"cp {short[:5]}") == [f"file,{short[:5]}", f"plain,{short}:/"]
    assert complete("exec nosuch") == complete("exec nosuch -c ") == []
    assert complete("exec ", Path("/nowhere")) == []


def test_tickets_are_for_those_who_may(server: ServerProcess, task: str, tidegate: Any):
    """StartExec is refused without permission; what is opened by it is named and has a token."""
    answer = tidegate.start_exec(task=_arn(server, task), command=["true"])
    assert answer["containerName"] == "busybox"
    assert answer["session"]["sessionId"].startswith("ecs-execute-command-")
    assert answer["session"]["streamUrl"].startswith("ws://127.0.0.1:")
    with pytest.raises(ClientError, match="there is no task"):
        tidegate.start_exec(task="0" * 32, command=["true"])


def _arn(server: ServerProcess, name: str) -> str:
    arns: list[str] = server.client("ecs").list_tasks()["taskArns"]
    return next(arn for arn in arns if name in arn)
