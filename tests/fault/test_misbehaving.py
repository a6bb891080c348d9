"""
Containers that misbehave: none of them harms the server, the host or a task beside it, and each can be stopped.

What fills the disk is in test_full_disk.py and tests/e2e/test_storage.py, what floods the log in test_log_flood.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fault.conftest import NewServer
from fixtures.server import until
from fixtures.traces import traces_of
from fixtures.workload import REST, Workload, shell
from tidegate.kernel.process import list_pids, read_cmdline
from tidegate.node.runtime.cgroup.probe import find_cgroups
from tidegate.node.runtime.cgroup.tasks import plan_pid_limits, read_pid_max

pytestmark = [pytest.mark.fault, pytest.mark.host]

BOMB = "bomb() { bomb | bomb & }; bomb; while true; do sleep 1; done"
FORKS = (
    "trap '' TERM; i=0; while [ $i -lt 20000 ]; do sleep 600 & i=$((i+1)); done 2>/dev/null; "
    "while true; do sleep 1; done"
)
STUBBORN = "trap '' TERM INT HUP; while true; do sleep 0.1; done"
ANSWER_SECONDS = 5.0
"""In which a loaded server answers; unloaded it is milliseconds."""


class Scene:
    """A server, a task that must not be harmed, and what a test's culprit is measured by."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.cgroups = find_cgroups()
        self.neighbour = work.run_shell("i=0; trap 'exit 7' TERM; while true; do i=$((i+1)); echo $i; sleep 0.1; done")
        work.wait_one(self.neighbour, "RUNNING")

    def group(self, task: str, container: str = "") -> str:
        return "/".join(filter(None, (f"/{self.work.server.cgroup_name}", task.rpartition("/")[2], container)))

    def culprit(self, *containers: dict[str, Any], **members: Any) -> str:
        (task,) = self.work.run(self.work.register(*containers, family="culprit", **members))
        self.work.wait_one(task, "RUNNING")
        return task

    def is_well(self) -> None:
        """The server answers, and launches and ends a task; the neighbour has not stood still."""
        began = time.monotonic()
        before = len(self.work.output(self.neighbour))
        assert self.work.describe([self.neighbour])[self.neighbour]["lastStatus"] == "RUNNING"
        assert time.monotonic() - began < ANSWER_SECONDS
        other = self.work.run_shell("exit 4")
        assert self.work.wait_one(other, "STOPPED", seconds=30)["containers"][0]["exitCode"] == 4
        until(lambda: len(self.work.output(self.neighbour)) > before, "the neighbour goes on", 10)

    def end(self, task: str, seconds: float = 30) -> dict[str, Any]:
        """Stop the culprit: nothing of it is left."""
        self.work.stop([task])
        ended = self.work.wait_one(task, "STOPPED", seconds=seconds)
        until(lambda: traces_of(self.work.server, task) == [], "nothing is left", 20)
        return ended


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, busybox: Path) -> Iterator[Scene]:
    from contextlib import ExitStack

    from fault.conftest import take_away
    from fixtures.server import ServerProcess

    with ExitStack() as stack:
        server = ServerProcess(tmp_path_factory.mktemp("culprits") / "state")
        stack.callback(take_away, server)
        server.start()
        server.cli("image", "import", str(busybox), "--tag", "busybox")
        found = Scene(Workload(server))
        yield found
        found.work.stop([found.neighbour])
        assert found.work.wait_one(found.neighbour, "STOPPED")["containers"][0]["exitCode"] == 7
        lines = found.work.output(found.neighbour)
        assert lines == [str(number) for number in range(1, len(lines) + 1)]


@pytest.mark.parametrize("script", [BOMB, FORKS], ids=["bomb", "forks"])
def test_forks_without_end(scene: Scene, script: str):
    """A task has so many processes and no more; the host numbers many more than that, and the task can be stopped."""
    limit = plan_pid_limits(read_pid_max()).task
    task = scene.culprit(shell(script, stopTimeout=2))
    time.sleep(2)
    scene.is_well()
    usage = scene.cgroups.usage(scene.group(task))

    assert usage is not None
    assert 100 < usage.pids <= limit
    assert len([*list_pids()]) < read_pid_max() * 3 // 4
    scene.end(task)


def test_ignores_every_signal(scene: Scene):
    """What does not heed its signal is killed when its time is up, with all that it has started."""
    task = scene.culprit(shell(f"({STUBBORN}) & {STUBBORN}", stopTimeout=2))
    ended = scene.end(task)

    assert ended["containers"][0]["exitCode"] == 137
    scene.is_well()


@pytest.mark.parametrize("pid_mode", [{}, {"pidMode": "task"}], ids=["own", "shared"])
def test_kills_what_it_can(scene: Scene, pid_mode: dict[str, str]):
    """Root in a container that kills every process it can name does not reach its supervisor, nor anybody else's."""
    script = (
        "i=1; while [ $i -lt 40000 ]; do [ $i = $$ ] || kill -9 $i 2>/dev/null; i=$((i+1)); done; echo done; exit 3"
    )
    supervisors = _supervisors(scene.work)
    task = scene.culprit(shell(script), **pid_mode)
    name = task.rpartition("/")[2]
    mine = until(lambda: [p for p in _supervisors(scene.work) if p not in supervisors], "its supervisor", 5)
    ended = scene.work.wait_one(task, "STOPPED")

    assert mine
    assert ended["containers"][0]["exitCode"] == 3
    assert "supervisor" not in ended["containers"][0].get("reason", "")
    assert scene.work.output(task) == ["done"]
    assert set(supervisors) <= set(_supervisors(scene.work))
    until(lambda: traces_of(scene.work.server, name) == [], "nothing is left", 20)
    scene.is_well()


def _supervisors(work: Workload) -> list[int]:
    state = str(work.server.state.path)
    commands = {pid: read_cmdline(pid) for pid in list_pids()}
    return [pid for pid, words in commands.items() if words and "conmon" in words[0] and any(state in w for w in words)]


def test_takes_the_tasks_memory(scene: Scene):
    """
    A container without a limit of its own that takes all of its task's memory is killed, and says so; the container
    beside it, which took little, goes on.
    """
    task = scene.culprit(shell("sleep 0.5; exec tail /dev/zero", essential=False), shell(REST))
    until(lambda: scene.work.describe([task])[task]["containers"][0]["lastStatus"] == "STOPPED", "it is killed", 30)
    now = scene.work.describe([task])[task]

    assert now["containers"][0]["exitCode"] == 137
    assert now["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert (now["lastStatus"], now["containers"][1]["lastStatus"]) == ("RUNNING", "RUNNING")
    scene.is_well()
    assert scene.end(task)["containers"][1]["exitCode"] == 0


SPIN = "while true; do :; done"


def test_takes_all_the_time_it_can(scene: Scene):
    """
    A task that spins on every core gets what it declared and no more; containers of one task share in the ratio of
    their CPU units, as on Fargate.
    """
    spins = f"for i in 1 2 3 4; do {SPIN} & done; wait"
    task = scene.culprit(
        shell(spins, cpu=768, stopTimeout=2),
        shell(spins, cpu=256, stopTimeout=2, essential=False),
        cpu="1024",
        memory="2048",
    )
    before, began = _cpu_seconds(scene, task), time.monotonic()
    scene.is_well()
    time.sleep(max(0.0, 4 - (time.monotonic() - began)))
    after, seconds = _cpu_seconds(scene, task), time.monotonic() - began
    used = [b - a for a, b in zip(before, after, strict=True)]

    assert used[0] <= seconds + 0.5, "one core of two, and what it had saved up before"
    assert used[1] > 1.5 * used[2], "768 to 256 units"
    scene.end(task)


def _cpu_seconds(scene: Scene, task: str) -> list[float]:
    """Of the task and its two containers."""
    found = [scene.cgroups.usage(scene.group(task, container)) for container in ("", "c0", "c1")]
    return [usage.cpu_nanoseconds / 1e9 for usage in found if usage is not None]


def test_health_checks_that_hang(scene: Scene):
    """Ten containers whose checks never end: none piles up, the tasks become UNHEALTHY, and the server answers."""
    check = {"command": ["CMD-SHELL", "sleep 600 & sleep 600"], "interval": 5, "timeout": 2, "retries": 2}
    task = scene.culprit(*(shell(REST, healthCheck=check) for _ in range(10)), cpu="1024", memory="2048")
    until(lambda: scene.work.describe([task])[task]["healthStatus"] == "UNHEALTHY", "it is UNHEALTHY", 60)
    until(lambda: _most_processes(scene, task) <= 10 * 7, "checks that have ended are gone", 15)
    scene.is_well()
    ended = scene.end(task)

    assert {c["exitCode"] for c in ended["containers"]} == {0}


def _most_processes(scene: Scene, task: str) -> int:
    usage = scene.cgroups.usage(scene.group(task))
    return usage.pids if usage is not None else 0


def test_two_bombs_and_a_kill(new_server: NewServer):
    """A server that is killed while two tasks fork without end finds them again and can stop them."""
    work = new_server()
    tasks = work.run(work.register(shell(FORKS, stopTimeout=2)), 2)
    work.wait(tasks, "RUNNING")
    time.sleep(1)
    work.server.kill()
    work.server.start()
    assert len([*list_pids()]) < read_pid_max() * 3 // 4
    work.stop_all()
