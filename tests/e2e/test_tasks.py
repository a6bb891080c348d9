"""Tasks on a real server, driven by boto3 and the aws CLI as they are."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.server import ServerProcess, task_leftovers, until

pytestmark = pytest.mark.host

SLEEP = {"command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]}
"""Obeys SIGTERM, which a program that is process 1 has to ask for."""
REST = "trap 'exit 0' TERM; sleep 600 & wait"
LOGS = {
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": "/e2e",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "t",
            "awslogs-create-group": "true",
        },
    }
}


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script], **more}


def wait_for(ecs: Any, task: dict[str, Any], *statuses: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        (now,) = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
        return now if now["lastStatus"] in statuses else None

    found: dict[str, Any] = until(look, f"the task is {statuses}")
    return found


def stopped(ecs: Any, task: dict[str, Any]) -> dict[str, Any]:
    return wait_for(ecs, task, "STOPPED")


def output(server: ServerProcess, task: dict[str, Any], container: str = "c0") -> list[str]:
    stream = f"t/{container}/{task['taskArn'].rpartition('/')[2]}"
    events = server.client("logs").get_log_events(logGroupName="/e2e", logStreamName=stream, startFromHead=True)
    return [event["message"] for event in events["events"]]


def test_a_process_with_its_own_address(ecs: Any, run: Any, server: ServerProcess):
    """RUNNING means that a process runs, in a namespace of its own with the address that the API says."""
    task = run({**shell("ip -4 -o addr show eth0; " + REST), **LOGS})
    ecs.get_waiter("tasks_running").wait(tasks=[task["taskArn"]], WaiterConfig={"Delay": 1})
    now = wait_for(ecs, task, "RUNNING")

    (address,) = [d["value"] for d in now["attachments"][0]["details"] if d["name"] == "privateIPv4Address"]
    assert now["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == address
    assert now["startedAt"] >= now["createdAt"]
    until(lambda: any(f"inet {address}/" in line for line in output(server, task)), "the container says its address")
    ecs.stop_task(task=task["taskArn"], reason="enough")
    ecs.get_waiter("tasks_stopped").wait(tasks=[task["taskArn"]], WaiterConfig={"Delay": 1})
    last = stopped(ecs, task)
    assert (last["stopCode"], last["stoppedReason"]) == ("UserInitiated", "enough")
    assert last["stoppedAt"] >= last["executionStoppedAt"] >= last["stoppingAt"] >= last["startedAt"]


def test_the_longest_name(ecs: Any, run: Any, server: ServerProcess):
    """A container may have the 255 characters that ECS allows, and tells its output and exit code by its whole name."""
    name = "n" * 254
    first = {**shell("exit 0"), "name": f"{name}b", "essential": False}
    waits = [{"containerName": f"{name}b", "condition": "SUCCESS"}]
    last = stopped(ecs, run({**shell("echo long; exit 5"), **LOGS, "name": f"{name}a", "dependsOn": waits}, first))
    assert {c["name"][-1]: c.get("exitCode") for c in last["containers"]} == {"a": 5, "b": 0}
    assert output(server, last, f"{name}a") == ["long"]


def test_exit_codes(ecs: Any, run: Any):
    """An essential container that exits ends the task with its exit code."""
    last = stopped(ecs, run(shell("exit 3")))

    assert (last["stopCode"], last["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert last["containers"][0]["exitCode"] == 3


def test_output(ecs: Any, run: Any, server: ServerProcess):
    """What a container writes before it ends is in its stream when the task is STOPPED."""
    task = run({**shell("for i in $(seq 1 1000); do echo line $i; done; echo bad >&2"), **LOGS})
    stopped(ecs, task)

    lines = output(server, task)
    assert [line for line in lines if line != "bad"] == [f"line {i}" for i in range(1, 1001)]
    assert lines.count("bad") == 1


def test_depends_on_and_health(ecs: Any, run: Any, server: ServerProcess):
    """HEALTHY, SUCCESS and START dependencies start containers in order; the task's health is rolled up."""
    check = {"command": ["CMD-SHELL", "test -e /tmp/ready"], "interval": 5}
    task = run(
        {
            **shell("read up rest </proc/uptime; echo $up; " + REST),
            "name": "late",
            "dependsOn": [
                {"containerName": "db", "condition": "HEALTHY"},
                {"containerName": "init", "condition": "SUCCESS"},
            ],
            "healthCheck": {"command": ["CMD", "true"]},
            **LOGS,
        },
        {
            **shell("sleep 0.5; touch /tmp/ready; read up rest </proc/uptime; echo $up; " + REST),
            "name": "db",
            "healthCheck": check,
            **LOGS,
        },
        {**shell("read up rest </proc/uptime; echo $up"), "name": "init", "essential": False, **LOGS},
    )
    now = until(
        lambda: (t := ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"][0])["healthStatus"] == "HEALTHY" and t,
        "the task is HEALTHY",
        20,
    )

    assert now["lastStatus"] == "RUNNING"
    started = {name: float(output(server, task, name)[0]) for name in ("late", "db", "init")}
    assert started["late"] > started["db"]
    assert started["late"] > started["init"]
    ecs.stop_task(task=task["taskArn"])
    stopped(ecs, task)


def test_containers_share_localhost(ecs: Any, run: Any):
    """Containers of one task reach each other on localhost."""
    last = stopped(
        ecs,
        run(
            {**shell("for i in $(seq 50); do nc -w 1 127.0.0.1 7000 </dev/null && exit 42; sleep 0.1; done; exit 1")},
            {
                **shell("trap 'exit 0' TERM; while true; do echo hello | nc -l -p 7000 & wait $!; done"),
                "essential": False,
            },
        ),
    )

    assert last["containers"][0]["exitCode"] == 42


def test_memory_limit(ecs: Any, run: Any):
    """A container that takes more memory than its limit is killed, and the reason says so."""
    hog = shell("head -c 200m /dev/zero | tail | sleep 60", memory=64)
    last = stopped(
        ecs, run({**hog, "command": ["sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=200; tail /dev/zero"]})
    )

    assert last["containers"][0]["exitCode"] == 137
    assert last["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_stop_timeout(ecs: Any, run: Any):
    """A container that ignores SIGTERM is killed after its stopTimeout."""
    task = run(shell("trap '' TERM; while true; do sleep 0.1; done", stopTimeout=2))
    wait_for(ecs, task, "RUNNING")
    ecs.stop_task(task=task["taskArn"])
    last = stopped(ecs, task)

    assert last["containers"][0]["exitCode"] == 137
    assert 2 <= (last["executionStoppedAt"] - last["stoppingAt"]).total_seconds() < 10


def test_missing_program(ecs: Any, run: Any):
    """A command that does not exist: CannotStartContainerError or CannotCreateContainerError, and no exit code."""
    last = stopped(ecs, run({"command": ["/no/such/program"]}))

    assert last["stopCode"] == "TaskFailedToStart"
    assert "ContainerError: " in last["containers"][0]["reason"]
    assert "/no/such/program" in last["containers"][0]["reason"]
    assert "exitCode" not in last["containers"][0]


def test_missing_image(ecs: Any, run: Any):
    """An image that can't be had: CannotPullContainerError."""
    last = stopped(ecs, run({"image": "127.0.0.1:1/no/such:image", **SLEEP}))

    assert last["stopCode"] == "TaskFailedToStart"
    assert last["stoppedReason"].startswith("CannotPullContainerError: ")


def test_user_environment_and_limits(ecs: Any, run: Any, server: ServerProcess):
    """user, environment, workingDirectory, ulimits, read-only root, tmpfs and init process bind."""
    script = "id -un; echo $GREETING; pwd; ulimit -n; touch /x 2>&1; touch /scratch/y && echo wrote; cat /proc/1/comm"
    task = run(
        {
            **shell(script),
            "user": "app",
            "environment": [{"name": "GREETING", "value": "hello there"}],
            "workingDirectory": "/tmp",
            "ulimits": [{"name": "nofile", "softLimit": 1234, "hardLimit": 2345}],
            "readonlyRootFilesystem": True,
            "linuxParameters": {
                "initProcessEnabled": True,
                "tmpfs": [{"containerPath": "/scratch", "size": 16, "mountOptions": ["mode=1777"]}],
            },
            **LOGS,
        }
    )
    stopped(ecs, task)
    lines = output(server, task)

    assert lines[:4] == ["app", "hello there", "/tmp", "1234"]
    assert "Read-only file system" in lines[4]
    assert lines[5] == "wrote"
    assert lines[6] != "sh"


def test_published_port(ecs: Any, run: Any, server: ServerProcess):
    """A published port of the host leads to the task; a port that is taken is refused with the reason."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    web = {
        **shell("mkdir /www; echo it works >/www/index.html; trap 'exit 0' TERM; httpd -f -p 80 -h /www & wait"),
        "portMappings": [{"containerPort": 80}],
    }
    tags = [{"key": "tidegate:publish", "value": f"{port}:80/tcp"}]
    task = run(web, tags=tags)
    wait_for(ecs, task, "RUNNING")

    def get() -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                return answer.read().decode()
        except OSError:
            return None

    assert until(get, "the page is served") == "it works\n"
    with pytest.raises(ClientError, match=str(port)):
        run(web, tags=tags)
    ecs.stop_task(task=task["taskArn"])
    stopped(ecs, task)
    assert get() is None


def test_taken_port(ecs: Any, run: Any):
    """A port of the host that a program listens on is found at the launch; the task's reason names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        last = stopped(ecs, run(SLEEP, tags=[{"key": "tidegate:publish", "value": f"{port}:80/tcp"}]))

    assert last["stopCode"] == "TaskFailedToStart"
    assert str(port) in last["stoppedReason"]


def test_shared_volume(ecs: Any, run: Any):
    """A volume is seen by the containers that mount it."""
    mount = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    last = stopped(
        ecs,
        run(
            {**shell("exec cat /data/word", dependsOn=[{"containerName": "c1", "condition": "SUCCESS"}]), **mount},
            {**shell("echo tide > /data/word"), "essential": False, **mount},
            volumes=[{"name": "data", "host": {}}],
        ),
    )

    assert last["containers"][0]["exitCode"] == 0


def test_aws_cli(server: ServerProcess, run: Any, ecs: Any):
    """The aws CLI works with what `tidegate env` prints."""
    exports = dict(
        line.removeprefix("export ").split("=", 1) for line in server.cli("env").stdout.splitlines() if "=" in line
    )
    task = run(SLEEP)
    aws = [sys.executable, "-m", "awscli"]
    environment = {**os.environ, **exports}
    listed = subprocess.run([*aws, "ecs", "list-tasks"], env=environment, capture_output=True, text=True, check=True)
    assert task["taskArn"] in json.loads(listed.stdout)["taskArns"]
    subprocess.run(
        [*aws, "ecs", "stop-task", "--task", task["taskArn"], "--reason", "cli"],
        env=environment,
        check=True,
        capture_output=True,
    )
    assert stopped(ecs, task)["stoppedReason"] == "cli"


def test_many_at_once(ecs: Any, run: Any, server: ServerProcess):
    """Thirty tasks at once run, each with an address of its own, and leave nothing when they stop."""
    tasks = [task for _ in range(3) for task in run(SLEEP, count=10)]
    addresses = set()
    for task in tasks:
        now = wait_for(ecs, task, "RUNNING")
        addresses.add(now["containers"][0]["networkInterfaces"][0]["privateIpv4Address"])
    assert len(addresses) == 30
    for task in tasks:
        ecs.stop_task(task=task["taskArn"])
    for task in tasks:
        stopped(ecs, task)
    until(lambda: not [x for x in task_leftovers(server) if tasks[0]["taskArn"].rpartition("/")[2] in x], "all is gone")
