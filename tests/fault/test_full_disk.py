"""The disk under the state directory is full: calls are refused with the reason, and tasks run on."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.server import until
from fixtures.workload import REST, Workload, shell
from tidegate.kernel import syscalls

pytestmark = [pytest.mark.fault, pytest.mark.host]

NewServer = Callable[..., Workload]
SIZE = "64m"
COUNT = "i=0; trap 'exit 5' TERM; while true; do i=$((i+1)); echo $i; sleep 0.1; done"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB; given back last of all."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        syscalls.umount(str(directory))


def fill(directory: Path) -> Path:
    """Leave not a byte."""
    path = directory / "ballast"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
    stat = os.statvfs(directory)
    assert stat.f_bavail == 0
    return path


def outcome(call: Callable[[], Any]) -> tuple[Any, dict[str, str] | None]:
    """What a call answers, or the error."""
    try:
        return call(), None
    except ClientError as error:
        return None, error.response["Error"]


def test_full_disk(small_disk: Path, new_server: NewServer):
    """Refusals say why; running tasks go on; all that was acknowledged is there after space is freed and a kill -9."""
    work = new_server(directory=small_disk / "state")
    definition = work.register(shell(REST))
    running = work.run_shell(COUNT)
    work.wait_one(running, "RUNNING")
    ballast = fill(small_disk)
    refused = [
        lambda: work.register(shell(REST), family="more"),
        lambda: work.run(definition),
        lambda: work.ecs.create_cluster(clusterName="more"),
    ]
    acknowledged: list[str] = []
    for call in refused:
        answer, refusal = outcome(call)
        # What was answered counts: what is left of the store's own file may be enough for a few records.
        acknowledged += answer if isinstance(answer, list) else []
        if refusal:
            assert refusal["Code"] == "ServerException"
            assert "disk is full" in refusal["Message"]
    assert work.describe([running])[running]["lastStatus"] == "RUNNING"

    work.server.kill()
    ballast.unlink()
    work.server.start()
    assert work.describe([running])[running]["lastStatus"] == "RUNNING"
    work.wait(acknowledged, "RUNNING", "STOPPED", seconds=20)
    late = work.run(definition)
    work.wait(late, "RUNNING")
    work.stop([running])
    assert work.wait_one(running, "STOPPED")["containers"][0]["exitCode"] == 5
    numbers = [int(line) for line in work.output(running)]
    assert numbers == sorted(set(numbers))
    work.stop_all()


def test_tasks_that_end_on_a_full_disk(small_disk: Path, new_server: NewServer):
    """A task that ends while the disk is full is told of when there is space again, with its exit code."""
    work = new_server(directory=small_disk / "state")
    tasks = [work.run_shell("until [ -e /tmp/go ]; do sleep 0.05; done; exit 6"), work.run_shell(REST)]
    work.wait(tasks, "RUNNING")
    bundle = work.server.state.node / "tasks" / tasks[0].rpartition("/")[2] / "c-c0"
    (bundle / "rootfs/tmp/go").touch()
    ballast = fill(small_disk)
    with contextlib.suppress(ClientError):
        work.stop(tasks[1:])
    ballast.unlink()
    ended = work.wait_one(tasks[0], "STOPPED")

    assert ended["containers"][0]["exitCode"] == 6
    work.wait_one(work.run_shell(REST), "RUNNING")
    work.stop_all()


def test_tasks_do_not_fill_the_hosts_disk(small_disk: Path, new_server: NewServer):
    """A task that writes without end is told that its disk is full before the host's is; the next one waits."""
    work = new_server(directory=small_disk / "state")
    fills = "dd if=/dev/zero of=/file bs=64k 2>&1; sync; dd if=/file of=/dev/null bs=64k 2>&1; touch /done; " + REST
    greedy = work.run_shell(fills)
    until(lambda: len(work.output(greedy)) > 4, "the disk of the task is full", 30)
    assert "No space left on device" in work.output(greedy)[0]
    assert not any("I/O error" in line for line in work.output(greedy))
    left = os.statvfs(small_disk)
    assert left.f_bavail * left.f_frsize > left.f_blocks * left.f_frsize // 40

    (late,) = work.run(work.register(shell(REST)))
    until(lambda: "the disk is nearly full" in waits_for(work, late), "the reason is told", 10)
    work.stop([greedy])
    work.wait_one(late, "RUNNING")
    work.stop_all()


def waits_for(work: Workload, task: str) -> str:
    """The line of the description that says so."""
    text = work.server.cli("describe", task.rpartition("/")[2]).stdout
    return next((line for line in text.splitlines() if line.startswith("Waits for")), "")


def test_launching_on_a_disk_that_fills_up(small_disk: Path, new_server: NewServer):
    """Tasks that were acknowledged before the disk was full come to run or to an end with a reason."""
    work = new_server(directory=small_disk / "state")
    definition = work.register(shell(REST), shell(REST))
    tasks = work.run(definition, 10)
    ballast = fill(small_disk)
    with contextlib.suppress(ClientError):
        tasks += work.run(definition, 5)
    work.server.kill()
    with contextlib.suppress(AssertionError):  # it may refuse to start, in words
        work.server.start()
    assert "Traceback" not in work.server.log.read_text()
    ballast.unlink()
    if work.server.process is None or work.server.process.poll() is not None:
        work.server.process = None
        work.server.start()
    ended = work.wait(tasks, "RUNNING", "STOPPED")

    assert all(t["stoppedReason"] for t in ended.values() if t["lastStatus"] == "STOPPED")
    until(lambda: work.describe(work.run(definition)), "new tasks are taken")
    work.stop_all()
