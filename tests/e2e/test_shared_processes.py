"""`pidMode` `task`: the containers of a task see each other's processes, and nobody else's."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fixtures.nodes import RealNode, logged, real_node
from fixtures.nodes import shell as container
from fixtures.server import ServerProcess, until
from fixtures.workload import REST, Workload, shell
from tidegate.kernel.process import list_pids, read_cmdline
from tidegate.model.spec import RestartPolicy
from tidegate.model.status import LastStatus

pytestmark = pytest.mark.host

LOST = "ContainerRuntimeError: the container was killed because the task's process namespace was lost"


@pytest.fixture
def work(server: ServerProcess) -> Workload:
    return Workload(server)


def holder_of(work: Workload, task: str) -> int:
    """The process that holds the namespace, as the host numbers it."""
    directory = work.server.state.node / "tasks" / task.rpartition("/")[2] / "c-.processes"
    return int((directory / "pid").read_text())


def read_cgroup(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:  # it has ended
        return ""


def test_containers_see_each_other(work: Workload):
    """Each sees the other's processes and may signal them; process 1 belongs to neither."""
    watcher = (
        "pids() { ps -o pid,args | grep 'victim[ ]mark' | awk '{print $1}'; }; "
        "until ps -o args | grep -q 'sleep[ ]600'; do sleep 0.05; done; cat /proc/1/comm; "
        "kill -USR1 $(pids | head -n 1)"
    )
    definition = work.register(
        shell("echo 'victim mark' >/dev/null; trap 'echo was signalled; exit 5' USR1; sleep 600 & wait"),
        shell(watcher, essential=False),
        pidMode="task",
        family="pids",
    )
    (task,) = work.run(definition)
    ended = work.wait_one(task, "STOPPED")

    assert {c["name"]: c["exitCode"] for c in ended["containers"]} == {"c0": 5, "c1": 0}
    assert work.output(task, "c0") == ["was signalled"]
    assert work.output(task, "c1") == ["pause"]
    work.nothing_left()


def test_others_are_not_seen(work: Workload):
    """A container of a task of its own sees its own processes alone, with or without sharing."""
    (other,) = work.run(work.register(shell(REST), pidMode="task", family="pids"))
    work.wait_one(other, "RUNNING")
    for more in ({}, {"pidMode": "task"}):
        (task,) = work.run(work.register(shell("ps -o comm | sort -u | tr '\\n' ' '"), family="pids", **more))
        work.wait_one(task, "STOPPED")
        (line,) = work.output(task)
        assert set(line.split()) - {"COMMAND"} <= {"sh", "ps", "sort", "tr", "exe", "pause"}
    work.stop([other])
    work.wait_one(other, "STOPPED")


def test_what_a_container_leaves_behind_goes_with_it(work: Workload):
    """A container ends whole with its first process, though the namespace lives on."""
    leaves = "(trap '' TERM HUP; while true; do sleep 0.1; done) & exit 3"
    rests = "trap 'exit 0' TERM; echo rests; sleep 600 & wait"
    definition = work.register(shell(leaves, essential=False), shell(rests), pidMode="task", family="pids")
    (task,) = work.run(definition)
    until(lambda: work.output(task, "c1"), "the second heeds its signal", 10)
    until(lambda: work.describe([task])[task]["containers"][0]["lastStatus"] == "STOPPED", "the first has ended")
    now = work.describe([task])[task]

    assert now["containers"][0]["exitCode"] == 3
    assert now["lastStatus"] == "RUNNING"
    group = f"/{task.rpartition('/')[2]}/c0"
    left = [pid for pid in list_pids() if group in read_cgroup(pid)]
    assert [read_cmdline(pid) for pid in left] == []
    work.stop([task])
    assert work.wait_one(task, "STOPPED")["containers"][1]["exitCode"] == 0
    work.nothing_left()


def test_containers_can_not_kill_the_holder(work: Workload):
    """SIGKILL from inside does not reach process 1, whoever sends it."""
    script = "kill -9 1; sleep 0.2; exit 4"
    (task,) = work.run(work.register(shell(script), pidMode="task", family="pids"))

    assert work.wait_one(task, "STOPPED")["containers"][0]["exitCode"] == 4


@pytest.mark.parametrize("is_down", [False, True], ids=["server-up", "server-down"])
def test_loss_of_the_namespace(work: Workload, is_down: bool):
    """Who holds the namespace is killed: the kernel kills all in it, and the task ends with that reason."""
    definition = work.register(shell(REST), shell(REST, essential=False), pidMode="task", family="pids")
    (task,) = work.run(definition)
    work.wait_one(task, "RUNNING")
    if is_down:
        work.server.kill()
    os.kill(holder_of(work, task), signal.SIGKILL)
    if is_down:
        work.server.start()
    ended = work.wait_one(task, "STOPPED")

    assert (ended["stopCode"], ended["stoppedReason"]) == ("EssentialContainerExited", LOST)
    assert {(c["exitCode"], c["reason"]) for c in ended["containers"]} == {(137, LOST)}
    work.nothing_left()


def test_after_a_kill_of_the_server(work: Workload):
    """The namespace outlives the server, is found again, and goes with the task."""
    definition = work.register(shell(REST), shell(REST), pidMode="task", family="pids")
    (task,) = work.run(definition)
    work.wait_one(task, "RUNNING")
    holder = holder_of(work, task)
    work.server.kill()
    work.server.start()
    assert work.describe([task])[task]["lastStatus"] == "RUNNING"
    assert holder_of(work, task) == holder
    work.stop([task])
    ended = work.wait_one(task, "STOPPED")

    assert [c["exitCode"] for c in ended["containers"]] == [0, 0]
    work.nothing_left()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node(tmp_path: Path, busybox: Path) -> AsyncIterator[RealNode]:
    async with real_node(tmp_path / "state", busybox) as found:
        yield found


@pytest.mark.anyio
async def test_restarts_in_the_same_namespace(node: RealNode):
    """A container that is started again, after the node died as well, joins the same namespace."""
    policy = RestartPolicy(attempt_period_seconds=0, ignored_exit_codes=(9,))
    again = "cat /proc/1/comm; ps -o args | grep -q 'the[ ]mark' && echo sees it; sleep 0.1; exit 1"
    async with node.running():
        task = node.task(
            container("app", again, restart_policy=policy),
            container("other", "echo the mark >/dev/null; " + REST),
            shares_process_namespace=True,
        )
        task = logged(task)
        await node.run(task)
        await node.until(task, lambda o: o.containers[0].restart_count >= 1)
    async with node.running():
        await node.until(task, lambda o: o.containers[0].restart_count >= 3)
        last = await node.stop(task)
        lines = await node.output(task, "app")

    assert last.last_status is LastStatus.STOPPED
    assert set(lines) == {"pause", "sees it"}
    assert lines.count("pause") >= 3
