"""Tasks run on while the server is down, and nothing of them is lost."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request

import pytest

from fixtures.server import ServerProcess, leftovers, until
from fixtures.workload import REST, Workload, shell
from tidegate.kernel.process import list_pids, read_cmdline

pytestmark = [pytest.mark.fault, pytest.mark.host]

COUNT = "i=0; trap 'echo end $i; exit 7' TERM; while true; do i=$((i+1)); echo $i; sleep 0.1; done"
WEB = "mkdir /www; echo it works >/www/index.html; trap 'exit 0' TERM; httpd -f -p 80 -h /www & wait"


def numbers(lines: list[str]) -> list[int]:
    return [int(line) for line in lines if line.isdigit()]


def containers_of(server: ServerProcess) -> dict[int, tuple[str, ...]]:
    """What conmon supervises for the server: conmon's pids and arguments."""
    found = {pid: read_cmdline(pid) for pid in list_pids()}
    return {
        pid: command
        for pid, command in found.items()
        if command and "conmon" in command[0] and any(str(server.state.path) in word for word in command)
    }


def last_written(work: Workload, task: str) -> int:
    """The last number in the container's own log file, as conmon keeps it."""
    log = work.server.state.node / "tasks" / task.rpartition("/")[2] / "c-c0" / "log"
    found = numbers([line.split(" ", 3)[3] for line in log.read_text(errors="replace").splitlines() if " F " in line])
    return found[-1] if found else 0


@pytest.mark.parametrize("is_killed", [True, False], ids=["kill", "term"])
def test_output_of_a_task_that_runs_on(work: Workload, is_killed: bool):
    """Lines written while the server is down are there afterwards, each once; the exit code is the task's own."""
    task = work.run_shell(COUNT)
    work.wait_one(task, "RUNNING")
    for _ in range(2):
        until(lambda: numbers(work.output(task)), "the first lines")
        (work.server.kill if is_killed else work.server.stop)()
        last = last_written(work, task)
        until(lambda last=last: last_written(work, task) >= last + 3, "the task writes on")
        work.server.start()
        assert work.describe([task])[task]["lastStatus"] == "RUNNING"
    work.stop([task])
    ended = work.wait_one(task, "STOPPED")

    assert ended["containers"][0]["exitCode"] == 7
    lines = work.output(task)
    assert numbers(lines) == list(range(1, len(numbers(lines)) + 1))
    assert lines[-1] == f"end {numbers(lines)[-1]}"
    work.stop_all()


def test_exit_while_the_server_is_down(work: Workload):
    """A task that ends while the server is down gets its own exit code, its output and AWS's reason."""
    gate = "until [ -e /tmp/go ]; do sleep 0.05; done"
    tasks = [work.run_shell(f"{gate}; echo last words; exit {code}") for code in (0, 3, 42)]
    work.wait(tasks, "RUNNING")
    work.server.kill()
    for task in tasks:
        bundle = work.server.state.node / "tasks" / task.rpartition("/")[2] / "c-c0"
        (bundle / "rootfs/tmp/go").touch()
    until(lambda: not containers_of(work.server), "the tasks have ended")
    work.server.start()
    ended = work.wait(tasks, "STOPPED")

    assert [ended[task]["containers"][0]["exitCode"] for task in tasks] == [0, 3, 42]
    assert {t["stopCode"] for t in ended.values()} == {"EssentialContainerExited"}
    assert [work.output(task) for task in tasks] == [["last words"]] * 3
    work.stop_all()


def test_stop_health_and_ports_after_a_restart(work: Workload):
    """A running task is found again: its health checks go on, its published port leads to it, and it can be stopped."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/ill"], "interval": 5, "retries": 1}
    definition = work.register(shell(WEB, healthCheck=check, portMappings=[{"containerPort": 80}]))
    (task,) = work.run(definition, tags=[{"key": "tidegate:publish", "value": f"{port}:80/tcp"}])
    until(lambda: work.describe([task])[task]["healthStatus"] == "HEALTHY", "it is healthy")
    before = work.describe([task])[task]
    work.server.stop()
    work.server.start()

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        assert answer.read() == b"it works\n"
    after = work.describe([task])[task]
    assert after["startedAt"] == before["startedAt"]
    assert after["attachments"] == before["attachments"]
    bundle = work.server.state.node / "tasks" / task.rpartition("/")[2] / "c-c0"
    (bundle / "rootfs/tmp/ill").touch()
    until(lambda: work.describe([task])[task]["healthStatus"] == "UNHEALTHY", "its illness is noticed", 15)
    work.stop([task])
    assert work.wait_one(task, "STOPPED")["containers"][0]["exitCode"] == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    work.stop_all()


@pytest.mark.parametrize("is_down", [False, True], ids=["server-up", "server-down"])
def test_kill_of_a_supervisor(work: Workload, is_down: bool):
    """A task whose supervisor is killed ends with a reason, and its container does not outlive it; others run on."""
    tasks = [work.run_shell(REST), work.run_shell(REST)]
    work.wait(tasks, "RUNNING")
    victim, other = tasks
    if is_down:
        work.server.kill()
    for pid, command in containers_of(work.server).items():
        if any(victim.rpartition("/")[2] in word for word in command):
            os.kill(pid, signal.SIGKILL)
    if is_down:
        work.server.start()
    ended = work.wait_one(victim, "STOPPED")

    assert ended["stopCode"] == "EssentialContainerExited"
    assert ended["stoppedReason"]
    assert "supervisor" in ended["containers"][0]["reason"]
    assert work.describe([other])[other]["lastStatus"] == "RUNNING"
    work.stop_all()


def test_log_group_deleted_while_the_server_is_down(work: Workload):
    """A task goes on when its log group is gone, as on AWS; its output is dropped."""
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/mine", "awslogs-region": "us-east-1"}}
    log["options"]["awslogs-stream-prefix"] = "t"
    work.client("logs").create_log_group(logGroupName="/mine")
    (task,) = work.run(work.register(shell(COUNT, logConfiguration=log)))
    work.wait_one(task, "RUNNING")
    work.client("logs").delete_log_group(logGroupName="/mine")
    work.server.kill()
    work.server.start()
    last = last_written(work, task)
    until(lambda: last_written(work, task) > last, "the task writes on")

    assert work.describe([task])[task]["lastStatus"] == "RUNNING"
    work.stop([task])
    assert work.wait_one(task, "STOPPED")["containers"][0]["exitCode"] == 7
    work.stop_all()


def test_teardown_after_a_kill(work: Workload):
    """A teardown takes everything away, tasks that run included, when the server was killed."""
    tasks = work.run(work.register(shell(REST), shell(REST)), 5)
    work.wait(tasks, "RUNNING")
    work.server.kill()
    work.server.cli("teardown", "--yes")

    assert leftovers(work.server) == []
    work.server.start()
    ended = work.describe(tasks)
    assert {t["lastStatus"] for t in ended.values()} == {"STOPPED"}
    assert all(t["stoppedReason"] for t in ended.values())
