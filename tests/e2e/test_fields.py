"""
Container fields as a real container meets them: a row for each, all of them run at once, ten containers to a task.

Fields that take a test of their own are elsewhere: tests/unit/services/ecs/definitions/test_every_field.py says where.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fixtures.server import ServerProcess, until
from fixtures.workload import REST, Workload, shell

pytestmark = pytest.mark.host

CONTAINERS_A_TASK = 10
SYS_PTRACE = 1 << 19


@dataclass(frozen=True)
class Row:
    """A container's members, and the lines that it must write."""

    members: dict[str, Any]
    script: str
    lines: list[str] = field(default_factory=list)


def capabilities(**members: list[str]) -> dict[str, Any]:
    return {"linuxParameters": {"capabilities": members}}


def limit(name: str, soft: int, hard: int) -> dict[str, Any]:
    return {"ulimits": [{"name": name, "softLimit": soft, "hardLimit": hard}]}


def tmpfs(**members: Any) -> dict[str, Any]:
    return {"linuxParameters": {"tmpfs": [members]}}


EFFECTIVE = "awk '/CapEff/ {print $2}' /proc/self/status"
ROWS = {
    "entryPoint": Row({"entryPoint": ["sh", "-c", "echo $0 $1"], "command": ["one", "two"]}, "", ["one two"]),
    "command": Row({"command": ["echo", "a b", "$c"]}, "", ["a b $c"]),
    "environment": Row(
        {"environment": [{"name": "WORD", "value": "high tide"}, {"name": "NONE", "value": ""}]},
        "echo \"$WORD|$NONE|${NOTHING-unset}\"",
        ["high tide||unset"],
    ),
    "workingDirectory": Row({"workingDirectory": "/tmp"}, "pwd", ["/tmp"]),
    "workingDirectory-new": Row({"workingDirectory": "/not/yet/there"}, "pwd", ["/not/yet/there"]),
    "user-by-name": Row(
        {"user": "app"}, "id -u; id -g; id -Gn; echo $HOME", ["1000", "1000", "app extra", "/home/app"]
    ),
    "user-by-number": Row({"user": "4321:1234"}, "id -u; id -g", ["4321", "1234"]),
    "user-and-group": Row({"user": "app:root"}, "id -un; id -gn", ["app", "root"]),
    "readonlyRootFilesystem": Row(
        {"readonlyRootFilesystem": True}, "touch /x 2>&1; touch /dev/shm/y && echo memory is not",
        ["touch: /x: Read-only file system", "memory is not"],
    ),
    "writable-root": Row({}, "touch /x && echo writable", ["writable"]),
    "ulimits.nofile": Row(limit("nofile", 1234, 2345), "ulimit -Sn; ulimit -Hn", ["1234", "2345"]),
    "ulimits.core": Row(limit("core", 1024, 4096), "ulimit -Sc; ulimit -Hc", ["2", "8"]),
    "ulimits.nproc": Row(
        limit("nproc", 100, 200), "awk '/^Max processes/ {print $3; print $4}' /proc/self/limits", ["100", "200"]
    ),
    "ulimits.stack": Row(limit("stack", 1 << 20, 2 << 20), "ulimit -Ss; ulimit -Hs", ["1024", "2048"]),
    "capabilities.drop": Row(capabilities(drop=["ALL"]), EFFECTIVE, ["0000000000000000"]),
    "capabilities.add": Row(
        capabilities(drop=["ALL"], add=["SYS_PTRACE"]), EFFECTIVE, [f"{SYS_PTRACE:016x}"]
    ),
    "initProcessEnabled": Row(
        {"linuxParameters": {"initProcessEnabled": True}},
        "cat /proc/1/comm; (sleep 0.1 &); sleep 0.4; ps -o stat,comm | grep -c '^Z' ; true",
        ["init", "0"],
    ),
    "tmpfs": Row(
        tmpfs(containerPath="/scratch", size=16, mountOptions=["noexec", "mode=700"]),
        "df -m /scratch | awk 'END {print $2}'; stat -c %a /scratch; grep -c ' /scratch tmpfs .*noexec' /proc/mounts",
        ["16", "700", "1"],
    ),
    "sharedMemorySize": Row(
        {"linuxParameters": {"sharedMemorySize": 48}}, "df -m /dev/shm | awk 'END {print $2}'", ["48"]
    ),
    "sharedMemorySize-default": Row({}, "df -m /dev/shm | awk 'END {print $2}'", ["64"]),
    "systemControls": Row(
        {"systemControls": [{"namespace": "net.ipv4.tcp_keepalive_time", "value": "500"},
                            {"namespace": "kernel.msgmax", "value": "4096"}]},
        "cat /proc/sys/net/ipv4/tcp_keepalive_time /proc/sys/kernel/msgmax",
        ["500", "4096"],
    ),
    "hostname": Row({}, "hostname | grep -c '^ip-10-'; grep -c $(hostname) /etc/hosts", ["1", "1"]),
}  # fmt: skip
NAMES = {name: f"row{number}" for number, name in enumerate(ROWS)}


@pytest.fixture(scope="module")
def said(server: ServerProcess) -> dict[str, list[str]]:
    """What each row's container wrote."""
    work = Workload(server)
    tasks = {}
    for part in _batches():
        rows = [
            shell(ROWS[name].script, name=NAMES[name], essential=False, **ROWS[name].members)
            if "command" not in ROWS[name].members
            else {**shell(""), "name": NAMES[name], "essential": False, **ROWS[name].members}
            for name in part
        ]
        (task,) = work.run(work.register(shell(REST), *rows, family="fields", cpu="1024", memory="2048"))
        tasks.update(dict.fromkeys(part, task))

    def are_done(task: str) -> bool:
        containers = work.describe([task])[task]["containers"]
        return all(c["lastStatus"] == "STOPPED" for c in containers if c["name"] != "c0")

    for task in set(tasks.values()):
        until(lambda task=task: are_done(task), "every row has ended")
    work.stop(set(tasks.values()))
    work.wait(set(tasks.values()), "STOPPED")
    work.nothing_left()
    return {name: work.output(task, NAMES[name]) for name, task in tasks.items()}


def _batches() -> list[tuple[str, ...]]:
    names, size = list(ROWS), CONTAINERS_A_TASK - 1
    return [tuple(names[start : start + size]) for start in range(0, len(names), size)]


@pytest.mark.parametrize("name", ROWS)
def test_row(said: dict[str, list[str]], name: str):
    """The container finds what its definition says."""
    assert said[name] == ROWS[name].lines


def group_value(server: ServerProcess, task: str, container: str, controller: str, name: str) -> int:
    """A control file of a container's group, version 1."""
    group = Path("/sys/fs/cgroup", controller, server.cgroup_name, task.rpartition("/")[2], container)
    return int((group / name).read_text())


def test_sizes(server: ServerProcess):
    """cpu, memory and memoryReservation bind on the container's group; without them it may use all of the task's."""
    if not Path("/sys/fs/cgroup/memory").is_dir():
        pytest.skip("the names of the files are those of version 1")
    work = Workload(server)
    sizes = [{"cpu": 128, "memory": 100, "memoryReservation": 50}, {"memoryReservation": 64}, {}]
    (task,) = work.run(
        work.register(*(shell(REST, **size) for size in sizes), cpu="1 vCPU", memory="2GB", family="sizes")
    )
    now = work.wait_one(task, "RUNNING")
    mib = 1 << 20

    assert (now["cpu"], now["memory"]) == ("1024", "2048")
    assert [c["cpu"] for c in now["containers"]] == ["128", "0", "0"]
    assert [group_value(server, task, f"c{i}", "cpu", "cpu.shares") for i in range(3)] == [128, 2, 2]
    limits = [group_value(server, task, f"c{i}", "memory", "memory.limit_in_bytes") // mib for i in range(3)]
    assert limits[0] == 100
    assert min(limits[1:]) > 1 << 40 >> 20
    soft = [group_value(server, task, f"c{i}", "memory", "memory.soft_limit_in_bytes") // mib for i in range(2)]
    assert soft == [50, 64]
    assert group_value(server, task, "", "memory", "memory.limit_in_bytes") == 2048 * mib
    assert group_value(server, task, "", "cpu", "cpu.shares") == 1024
    work.stop([task])
    work.wait_one(task, "STOPPED")
