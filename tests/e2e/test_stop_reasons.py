"""
Why tasks stop: every stop code and reason of ECS's that a host without services can be brought to, a row each.

Rows that need time to pass, or a host that fails, are in tests/unit/node/agent/test_reasons.py. What is not here can't
happen: there are no services, no Spot capacity and no container instances.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import files_tar, make_image
from fixtures.registry import Registry, missing_for_registry, running_registry
from fixtures.server import ServerProcess
from fixtures.workload import AWSLOGS, REST, Workload, shell

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(bool(missing_for_registry), reason=f"needs {missing_for_registry}"),
]

ESSENTIAL = "Essential container in task exited"
PULL = "CannotPullContainerError: "
ADVICE = f"{PULL}The task can’t pull the image. "
GRAPH = "CannotStartContainerError: dependency graph: container dependency c1 cannot reach "
SIDE = {"essential": False}


@dataclass(frozen=True)
class Registries:
    """One that has images for other platforms and none that is asked for, one that wants a password."""

    public: Registry
    private: Registry


@dataclass(frozen=True)
class Row:
    """What is run, and how it ends. Texts are matched from their beginning; exit codes and reasons are c0's."""

    containers: Callable[[Registries], tuple[dict[str, Any], ...]]
    code: str
    reason: str
    exit_code: int | None = None
    container_reason: str = ""
    stop: dict[str, str] | None = None
    """StopTask's members, given when it runs."""
    members: dict[str, Any] = field(default_factory=dict)


def one(script: str, **more: Any) -> Callable[[Registries], tuple[dict[str, Any], ...]]:
    return lambda _: (shell(script, **more),)


def image(reference: Callable[[Registries], str]) -> Callable[[Registries], tuple[dict[str, Any], ...]]:
    return lambda registries: (shell("true", image=reference(registries)),)


def waiting_for(condition: str, script: str, **more: Any) -> Callable[[Registries], tuple[dict[str, Any], ...]]:
    """c0 waits for c1."""
    needs = [{"containerName": "c1", "condition": condition}]
    return lambda _: (shell(REST, dependsOn=needs), shell(script, **SIDE, **more))


ROWS = {
    "exit-0": Row(one("exit 0"), "EssentialContainerExited", ESSENTIAL, 0),
    "exit-1": Row(one("exit 1"), "EssentialContainerExited", ESSENTIAL, 1),
    "segmentation-fault": Row(one("sh -c 'kill -SEGV $$'; exit $?"), "EssentialContainerExited", ESSENTIAL, 139),
    "killed": Row(one("sh -c 'kill -KILL $$'; exit $?"), "EssentialContainerExited", ESSENTIAL, 137),
    "out-of-memory": Row(
        one("exec tail /dev/zero", memory=32),
        "EssentialContainerExited",
        ESSENTIAL,
        137,
        "OutOfMemoryError: Container killed due to memory usage",
    ),
    "stopped-by-user": Row(one(REST), "UserInitiated", "Task stopped by user", 0, stop={}),
    "stopped-with-reason": Row(
        one(REST), "UserInitiated", "nightly maintenance", 0, stop={"reason": "nightly maintenance"}
    ),
    "stopped-by-force": Row(
        one("trap '' TERM; while true; do sleep 0.1; done", stopTimeout=2),
        "UserInitiated",
        "Task stopped by user",
        137,
        stop={},
    ),
    "stopped-without-a-handler": Row(
        one("exec sleep 600", linuxParameters={"initProcessEnabled": True}),
        "UserInitiated",
        "Task stopped by user",
        143,
        stop={},
    ),
    "no-such-image": Row(
        image(lambda r: f"{r.public.host}/no/such:image"),
        "TaskFailedToStart",
        f"{ADVICE}Check whether the image exists. pull image manifest has been retried 1 time(s): failed to resolve ",
        None,
        f"{ADVICE}Check whether the image exists. ",
    ),
    "private-image": Row(
        image(lambda r: f"{r.private.host}/team/app:1"),
        "TaskFailedToStart",
        f"{ADVICE}Check that the role has the permissions to pull images from the registry. ",
        None,
        f"{ADVICE}Check that the role has the permissions ",
    ),
    "unreachable-registry": Row(
        image(lambda _: "127.0.0.1:1/no/such:image"),
        "TaskFailedToStart",
        f"{ADVICE}Check your network configuration. pull image manifest has been retried 3 time(s): failed to resolve ",
        None,
        f"{ADVICE}Check your network configuration. ",
    ),
    "wrong-platform": Row(
        image(lambda r: f"{r.public.host}/team/arm:1"),
        "TaskFailedToStart",
        f"{PULL}image Manifest does not contain descriptor matching platform 'linux/amd64'",
        None,
        f"{PULL}image Manifest does not contain descriptor matching platform 'linux/amd64'",
    ),
    "wrong-machine": Row(
        one(REST),
        "TaskFailedToStart",
        "The selected task definition is not compatible with the selected compute strategy. (local: ATTRIBUTE",
        members={"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
    ),
    "no-such-program": Row(
        lambda _: ({"image": "busybox", "command": ["/no/such/program"]},),
        "TaskFailedToStart",
        "CannotStartContainerError: ",
        None,
        "CannotStartContainerError: .*/no/such/program",
    ),
    "not-executable": Row(
        lambda _: ({"image": "busybox", "command": ["/etc/passwd"]},),
        "TaskFailedToStart",
        "CannotStartContainerError: ",
        None,
        "CannotStartContainerError: .*/etc/passwd",
    ),
    "no-such-user": Row(
        one(REST, user="nosuchuser"),
        "TaskFailedToStart",
        "CannotStartContainerError: unable to find user nosuchuser: no matching entries in passwd file",
        None,
        "CannotStartContainerError: unable to find user nosuchuser: ",
    ),
    "no-log-group": Row(
        one(
            REST,
            logConfiguration={
                **AWSLOGS,
                "options": {**AWSLOGS["options"], "awslogs-group": "/not/there", "awslogs-create-group": "false"},  # type: ignore[dict-item]
            },
        ),
        "TaskFailedToStart",
        "ResourceInitializationError: failed to validate logger args: ",
    ),
    "dependency-fails": Row(
        waiting_for("SUCCESS", "exit 7"),
        "TaskFailedToStart",
        f"{GRAPH}SUCCESS: it exited with code 7",
        143,
        f"{GRAPH}SUCCESS: ",
    ),
    "dependency-is-never-healthy": Row(
        waiting_for("HEALTHY", REST, startTimeout=2, healthCheck={"command": ["CMD", "false"]}),
        "TaskFailedToStart",
        f"{GRAPH}HEALTHY: it timed out after 2 seconds",
        143,
        f"{GRAPH}HEALTHY: ",
    ),
    "dependency-never-completes": Row(
        waiting_for("COMPLETE", REST, startTimeout=2),
        "TaskFailedToStart",
        f"{GRAPH}COMPLETE: it timed out after 2 seconds",
        143,
        f"{GRAPH}COMPLETE: ",
    ),
    "dependency-never-starts": Row(
        waiting_for("START", "true", image="127.0.0.1:1/no/such:image"),
        "TaskFailedToStart",
        f"{GRAPH}START: it did not start",
        143,
        f"{GRAPH}START: ",
    ),
}


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registries]:
    place = tmp_path_factory.mktemp("registries")
    with (
        running_registry(place / "public") as public,
        running_registry(place / "private", with_password=True) as private,
    ):
        public.push("team/arm", "1", make_image([files_tar({"hello": "tide"})], architecture="arm64"))
        yield Registries(public, private)


@pytest.fixture(scope="module")
def ended(server: ServerProcess, registries: Registries) -> dict[str, dict[str, Any]]:
    """All rows, run at once: each task as it is described in the end."""
    work = Workload(server)
    tasks = {
        name: work.run(work.register(*row.containers(registries), family=name, **row.members))[0]
        for name, row in ROWS.items()
    }
    for name, row in ROWS.items():
        if row.stop is not None:
            work.wait_one(tasks[name], "RUNNING")
            work.ecs.stop_task(task=tasks[name], **row.stop)
    found = work.wait(tasks.values(), "STOPPED")
    work.nothing_left()
    return {name: found[task] for name, task in tasks.items()}


@pytest.mark.parametrize("name", ROWS)
def test_row(ended: dict[str, dict[str, Any]], name: str):
    """The stop code, the reason, and what the container says of itself are ECS's."""
    row, task = ROWS[name], ended[name]
    container = next(c for c in task["containers"] if c["name"] == "c0")

    assert task["stopCode"] == row.code
    assert task["stoppedReason"].startswith(row.reason), task["stoppedReason"]
    assert container.get("exitCode") == row.exit_code
    assert re.match(
        row.container_reason.replace("(s)", r"\(s\)") + ("" if row.container_reason else "$"),
        container.get("reason", ""),
    )
    assert (task["lastStatus"], task["desiredStatus"], container["lastStatus"]) == ("STOPPED",) * 3
    assert ("startedAt" in task) == (row.code != "TaskFailedToStart")


def test_restart_of_the_host(server: ServerProcess):
    """A task that ran when its host was restarted: TerminationNotice. Its journal is made to be of another boot."""
    work = Workload(server)
    task = work.run_shell(REST)
    work.wait_one(task, "RUNNING")
    server.kill()
    journal = server.state.node / "tasks" / task.rpartition("/")[2] / "observations.json"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert boot in journal.read_text()
    journal.write_text(journal.read_text().replace(boot, "00000000-0000-0000-0000-000000000000"))
    server.start()
    last = work.wait_one(task, "STOPPED")

    assert (last["stopCode"], last["stoppedReason"]) == ("TerminationNotice", "The host of the task was restarted.")
    assert last["containers"][0]["reason"].startswith("ContainerRuntimeError: the container ended with its host")
    assert "exitCode" not in last["containers"][0]
    work.nothing_left()


def test_lost_by_the_node(server: ServerProcess):
    """A task that its node does not know any more: InfrastructureHealth. What was left of it on the host goes."""
    work = Workload(server)
    task = work.run_shell(REST)
    work.wait_one(task, "RUNNING")
    server.kill()
    directory = server.state.node / "tasks" / task.rpartition("/")[2]
    (directory / "spec.json").rename(directory / "spec.lost")
    server.start()
    last = work.wait_one(task, "STOPPED")

    assert last["stopCode"] == "InfrastructureHealth"
    assert last["stoppedReason"] == "Task was lost: the node that ran it does not know it any more"
    work.nothing_left()
