"""The server is killed while it makes and takes away the disks of tasks: nothing of them is left over or lost."""

from __future__ import annotations

import time

import pytest

from fixtures.scratch import loop_devices
from fixtures.server import until
from fixtures.workload import REST, Workload, shell
from tidegate.kernel.shared_mount import list_mounts_below

pytestmark = [pytest.mark.fault, pytest.mark.host]

ROUNDS = 6
VOLUME = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}


def test_kills_while_disks_are_made(work: Workload):
    """Of those that were made ahead no mount and no device outlives the server; each task ends up with its own."""
    sizes = range(21, 27)
    definitions = [
        work.register(shell(REST, **VOLUME), volumes=[{"name": "data"}], ephemeralStorage={"sizeInGiB": size})
        for size in sizes
    ]
    tasks: list[str] = []
    scratch = work.server.state.scratch
    for number in range(ROUNDS):
        for definition in definitions[:3]:
            tasks += work.run(definition)
        time.sleep(0.03 * number)
        work.server.kill()
        ahead = [device for device in loop_devices(scratch, 0) if "/.warm-" in device]
        until(lambda seen=ahead: not set(seen) & set(loop_devices(scratch, 0)), "what was made ahead is gone", 10)
        assert [mount for mount in list_mounts_below(scratch) if "/." in mount] == []
        definitions = definitions[1:] + definitions[:1]
        work.server.start()
    found = work.wait(tasks, "RUNNING", "STOPPED")
    assert all(task["stoppedReason"] for task in found.values() if task["lastStatus"] == "STOPPED")
    running = [arn for arn, task in found.items() if task["lastStatus"] == "RUNNING"]
    assert len(running) > len(tasks) // 2
    kept = {path.name for path in work.server.state.scratch.iterdir() if not path.name.startswith(".")}
    ids = {arn.rpartition("/")[2] for arn in running}
    until(lambda: {name.removesuffix(".img") for name in kept} >= ids, "each has its own")
    work.stop_all()


def test_kills_while_disks_are_taken_away(work: Workload):
    """A task that was stopping is STOPPED, and its disk goes, with all that had been written to it."""
    write = "dd if=/dev/zero of=/data/file bs=1M count=30 2>/dev/null; touch /data/done; " + REST
    definition = work.register(shell(write, **VOLUME), volumes=[{"name": "data"}])
    for number in range(ROUNDS):
        tasks = work.run(definition, 3)
        work.wait(tasks, "RUNNING")
        work.stop(tasks)
        time.sleep(0.01 * number)
        work.server.kill()
        work.server.start()
        work.wait(tasks, "STOPPED")
    scratch = work.server.state.scratch
    until(lambda: not [p for p in scratch.iterdir() if not p.name.startswith(".")], "the disks are gone", 20)
    work.stop_all()


def test_what_was_written_is_there_after_a_kill(work: Workload):
    """A task that runs on keeps its disk and goes on writing to it, and is still held to its size."""
    script = (
        "echo before >/data/word; until [ -e /tmp/go ]; do sleep 0.05; done; cat /data/word;"
        "fallocate -l 19000000000 /data/big && fallocate -l 5000000000 /data/more 2>&1; " + REST
    )
    definition = work.register(shell(script, **VOLUME), volumes=[{"name": "data"}])
    (task,) = work.run(definition)
    work.wait_one(task, "RUNNING")
    place = work.server.state.scratch / task.rpartition("/")[2]
    until(lambda: (place / "v0/word").exists(), "it has written")
    work.server.kill()
    (work.server.state.node / "tasks" / place.name / "c-c0/rootfs/tmp/go").touch()
    work.server.start()
    until(lambda: len(work.output(task)) > 1, "it has gone on")
    lines = work.output(task)
    assert lines[0] == "before"
    assert "No space left on device" in lines[1]
    work.stop_all()
