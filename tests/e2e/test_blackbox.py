"""Black boxes and `why`: tasks that die in different ways, and what can be read of them afterwards."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from fixtures.server import ServerProcess, until

pytestmark = pytest.mark.host


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script], **more}


def stopped(ecs: Any, task: dict[str, Any]) -> str:
    """Wait for the end: the task's ARN."""
    arn: str = task["taskArn"]
    until(lambda: ecs.describe_tasks(tasks=[arn])["tasks"][0]["lastStatus"] == "STOPPED", "it has stopped")
    return arn


def why(server: ServerProcess, arn: str, *options: str) -> str:
    return server.cli("why", arn.rpartition("/")[2], *options).stdout


def test_last_words_and_files(ecs: Any, run: Any, tidegate: Any, server: ServerProcess):
    """Without any log driver the last output is there, with the files that were changed, at the end and for an hour."""
    script = (
        "echo to out; echo to err >&2; echo new > /tmp/new; echo more >> /etc/passwd; rm /etc/group;"
        "for i in $(seq 500); do echo line $i; done; exit 3"
    )
    arn = stopped(ecs, run(shell(script, environment=[{"name": "TOKEN", "value": "canary-4711"}])))
    box = tidegate.describe_black_box(task=arn)
    (container,) = box["containers"]
    assert len(container["log"]) == 200
    lines = [line["text"] for line in container["log"] if line["text"] != "to err"]  # two pipes: it may come late
    assert lines == [f"line {n}" for n in range(501 - len(lines), 501)]
    assert container["isLogWhole"] is False
    changes = {f["path"]: f["change"] for f in container["changedFiles"]}
    assert changes["/tmp/new"] == "added"
    assert changes["/etc/passwd"] == "changed"
    assert changes["/etc/group"] == "deleted"
    assert not {"/etc/hosts", "/etc/resolv.conf", "/proc", "/dev"} & changes.keys(), "mount points are no changes"
    assert box["isFinal"] is True
    assert box["memory"]["limitBytes"] == 512 << 20
    assert "canary-4711" not in json.dumps(box, default=str)
    told = tidegate.explain_task(task=arn)
    assert (told["rule"], told["isProblem"]) == ("exited", True)
    assert told["headline"] == "c0 ended with code 3."
    shown = why(server, arn, "--all")
    assert "c0 ended with code 3." in shown
    assert "/tmp/new" in shown
    assert "line 500" in shown
    assert "\x1b" not in shown


def test_out_of_memory(ecs: Any, run: Any, tidegate: Any):
    """A container that takes more than its own limit, and one that takes what the task has: each is told."""
    greedy = shell("echo eating; head -c 300m /dev/zero | tail -c 200m", memory=32)
    box, told = _dead(ecs, tidegate, run(greedy))
    assert told["rule"] == "out-of-memory-container"
    assert box["containers"][0]["memory"]["kills"] >= 1
    assert box["containers"][0]["memory"]["limitBytes"] == 32 << 20
    assert "eating" in "\n".join(told["evidence"])
    _, told = _dead(ecs, tidegate, run(shell("head -c 900m /dev/zero | tail -c 800m")))
    assert told["rule"] == "out-of-memory-task"
    assert "the limit of the whole task (`memory`, 512 MiB)" in told["cause"]


def _dead(ecs: Any, tidegate: Any, task: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    arn = stopped(ecs, task)
    return tidegate.describe_black_box(task=arn), tidegate.explain_task(task=arn)


@pytest.mark.parametrize(
    "container, rule",
    [
        ({"command": ["/no/such/program"]}, "no-such-program"),
        ({"command": ["/etc/passwd"]}, "not-executable"),
        ({"image": "127.0.0.1:1/shop/web:3"}, "image-unreachable"),
        (shell("no-such-command"), "exited-127"),
        (shell("exit 0"), "exited-0"),
        (shell("kill -9 $$; sleep 1"), "exited-0"),
        (shell("sh -c 'kill -9 $$'; exit $?"), "exited-137"),
        (shell("kill -TERM $(echo 1) & exit 143"), "exited-143"),
        (shell("echo write failed: No space left on device; exit 1"), "disk-full"),
        (
            {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/nobody/made/this",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "t",
                    },
                }
            },
            "no-log-group",
        ),
        (
            {"secrets": [{"name": "S", "valueFrom": "/no/such/parameter"}], "command": ["true"]},
            "secret-not-found",
        ),
    ],
)
def test_why(ecs: Any, run: Any, tidegate: Any, container: dict[str, Any], rule: str):
    """Real ends of real tasks are explained by the rule that is made for them."""
    arn = stopped(ecs, run(container))
    told = tidegate.explain_task(task=arn)
    assert told["rule"] == rule, told
    assert told["cause"]
    assert told["remedies"]


def test_dependency(ecs: Any, run: Any, tidegate: Any):
    """What could never be started names what it waited for, and shows that one's last words."""
    first = shell("echo cannot open database; exit 7", name="db", essential=False)
    second = shell("true", name="web", dependsOn=[{"containerName": "db", "condition": "SUCCESS"}])
    told = tidegate.explain_task(task=stopped(ecs, run(first, second)))
    assert told["rule"] == "dependency-never-reached"
    assert "  cannot open database" in told["evidence"]


def test_of_a_task_that_runs(ecs: Any, run: Any, tidegate: Any, server: ServerProcess):
    """A running task is looked into as it is now: healthy or not, with the last health check's output."""
    rest = "trap 'exit 0' TERM; echo ready; sleep 600 & wait"
    check = {"command": ["CMD-SHELL", "echo not yet; exit 1"], "interval": 5, "timeout": 2, "retries": 1}
    task = run(shell(rest, healthCheck=check), shell(rest, name="other"))
    arn = task["taskArn"]
    until(lambda: tidegate.explain_task(task=arn)["rule"] == "unhealthy", "the check has failed", 40)
    told = tidegate.explain_task(task=arn)
    assert "  not yet" in told["evidence"]
    box = tidegate.describe_black_box(task=arn)
    assert box["isFinal"] is False
    assert [line["text"] for line in box["containers"][1]["log"]] == ["ready"]
    ecs.stop_task(task=arn, reason="enough")
    assert tidegate.explain_task(task=stopped(ecs, task))["rule"] == "stopped-by-user"
    quiet = run(shell(rest))
    until(lambda: tidegate.explain_task(task=quiet["taskArn"])["rule"] == "nothing-is-wrong", "it runs")
    assert why(server, quiet["taskArn"]).startswith("Nothing is wrong.")
    ecs.stop_task(task=quiet["taskArn"])


def test_hints(server: ServerProcess):
    """Commands that show a failure say where it is explained."""
    done = server.cli("run", "busybox", "--wait", "--", "sh", "-c", "exit 5", check=False)
    assert done.returncode == 5
    (hint,) = [line for line in done.stderr.splitlines() if line.startswith("why: tidegate why ")]
    name = hint.rpartition(" ")[2]
    assert "ended with code 5." in server.cli("why", name).stdout
    assert f"tidegate why {name}" in server.cli("describe", name).stdout
    assert server.cli("run", "busybox", "--wait", "--", "true").stderr == ""


def test_it_outlives_the_server_and_not_the_record(tmp_path: Path, busybox: Path):
    """kill -9 after the end changes nothing; when the task's record is gone, so is its box."""
    server = ServerProcess(tmp_path / "state").start()
    try:
        server.cli("image", "import", str(busybox), "--tag", "busybox")
        assert (
            server.cli("run", "busybox", "--wait", "--", "sh", "-c", "echo last; exit 4", check=False).returncode == 4
        )
        boxes = server.state.node / "black-boxes"
        (kept,) = boxes.iterdir()
        stray = boxes / f"{'0' * 32}.json"
        stray.write_bytes(kept.read_bytes())
        for path in (kept, stray):
            old = time.time() - 300
            os.utime(path, (old, old))
        server.kill()
        server.start()
        until(lambda: not stray.exists(), "what belongs to no task has gone")
        shown = server.cli("why", kept.stem, "--all", "--json").stdout
        assert json.loads(shown)["explanation"]["rule"] == "exited"
        assert json.loads(shown)["blackBox"]["containers"][0]["log"][0]["text"] == "last"
    finally:
        server.teardown()
