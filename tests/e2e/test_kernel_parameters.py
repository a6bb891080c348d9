"""systemControls, shared memory and memory file systems: what binds, and for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.server import ServerProcess, until

pytestmark = pytest.mark.host

LOGS = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/parameters",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "t",
        "awslogs-create-group": "true",
    },
}


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script], "logConfiguration": LOGS, **more}


def controls(**values: str) -> dict[str, Any]:
    return {"systemControls": [{"namespace": name, "value": value} for name, value in values.items()]}


def show(*names: str) -> str:
    return "; ".join(f"cat /proc/sys/{name.replace('.', '/')}" for name in names)


def stopped(ecs: Any, task: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        (now,) = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
        return now if now["lastStatus"] == "STOPPED" else None

    found: dict[str, Any] = until(look, "the task is STOPPED")
    return found


def lines(server: ServerProcess, task: dict[str, Any], container: str = "c0") -> list[str]:
    stream = f"t/{container}/{task['taskArn'].rpartition('/')[2]}"
    events = server.client("logs").get_log_events(logGroupName="/parameters", logStreamName=stream, startFromHead=True)
    return [event["message"] for event in events["events"]]


def test_network_parameters_are_the_tasks(server: ServerProcess, ecs: Any, run: Any):
    """What one container sets holds for all; of several the last one that starts wins. The host keeps its own."""
    host = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    name = "net.ipv4.ip_local_port_range"

    def after(container: str) -> dict[str, Any]:
        return {"dependsOn": [{"containerName": container, "condition": "SUCCESS"}]}

    task = run(
        shell(show(name, "net.core.somaxconn"), **after("c2")),
        shell(
            show(name),
            essential=False,
            **controls(**{name: "20000 21000", "net.core.somaxconn": "77"}),
        ),
        shell(show(name), essential=False, **controls(**{name: "30000 31000"}), **after("c1")),
    )
    stopped(ecs, task)
    assert [line.split() for line in lines(server, task, "c1")] == [["20000", "21000"]]
    assert [line.split() for line in lines(server, task)] == [["30000", "31000"], ["77"]]
    assert Path("/proc/sys/net/ipv4/ip_local_port_range").read_text() == host


def test_parameters_of_shared_memory_are_a_containers_own(server: ServerProcess, ecs: Any, run: Any):
    """What one container sets another one does not see, and the host does not either."""
    names = ("kernel.shmmax", "kernel.msgmax", "fs.mqueue.msg_max")
    host = [Path(f"/proc/sys/{name.replace('.', '/')}").read_text().strip() for name in names]
    task = run(
        shell(show(*names), **controls(**dict(zip(names, ("1234567", "9999", "55"), strict=True)))),
        shell(show(*names), essential=False),
    )
    stopped(ecs, task)
    assert lines(server, task) == ["1234567", "9999", "55"]
    assert "1234567" not in lines(server, task, "c1")
    now = [Path(f"/proc/sys/{name.replace('.', '/')}").read_text().strip() for name in names]
    assert now == host


def test_a_value_that_the_kernel_refuses(ecs: Any, run: Any):
    """The container is not made, and the reason names the parameter."""
    described = stopped(ecs, run(shell("exit 0", **controls(**{"net.ipv4.ip_local_port_range": "many"}))))
    assert described["stopCode"] == "TaskFailedToStart"
    reason = described["containers"][0]["reason"]
    assert reason.startswith("CannotCreateContainerError: ")
    assert "ip_local_port_range" in reason


def test_shared_memory_and_memory_file_systems_have_their_size(server: ServerProcess, ecs: Any, run: Any):
    """64 MiB of shared memory, or what was asked for; a memory file system is full at its size."""
    size = "df -k {} | tail -1 | awk '{{print $2}}'"
    full = "dd if=/dev/zero of=/mem/f bs=1M count=20 2>&1 | head -1; stat -c %s /mem/f; grep ' /mem ' /proc/mounts"
    small = {"tmpfs": [{"containerPath": "/mem", "size": 8, "mountOptions": ["noexec", "mode=1770"]}]}
    task = run(
        shell(f"{size.format('/dev/shm')}; {full}", linuxParameters={"sharedMemorySize": 100, **small}),
        shell(size.format("/dev/shm"), essential=False),
    )
    stopped(ecs, task)
    found = lines(server, task)
    assert lines(server, task, "c1") == [str(64 * 1024)]
    assert found[0] == str(100 * 1024)
    assert "No space left on device" in found[1]
    assert found[2] == str(8 << 20)
    assert {"noexec", "nosuid", "nodev", "size=8192k", "mode=1770"} <= set(found[3].split()[3].split(","))
