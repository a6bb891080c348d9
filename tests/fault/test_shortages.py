"""What a task needs is not there: an image, an address, memory. The reason is told, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.server import until
from fixtures.workload import REST, Workload, shell

pytestmark = [pytest.mark.fault, pytest.mark.host]

NewServer = Callable[..., Workload]
FREE_IN_SMALLEST_SUBNET = 11


def test_missing_image(work: Workload):
    """A task whose image can't be had ends with AWS's reason; a task beside it runs."""
    other = work.run_shell(REST)
    (task,) = work.run(work.register(shell(REST, image="127.0.0.1:1/no/such:image")))
    ended = work.wait_one(task, "STOPPED")

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotPullContainerError: ")
    work.wait_one(other, "RUNNING")
    work.stop_all()


def test_unreadable_layer(work: Workload):
    """A layer that is broken on the disk is mended or named in the task's reason; the server stays well."""
    work.server.kill()
    work.server.cli("teardown", "--yes")
    layers = work.server.state.images / "layers"
    blobs = work.server.state.images / "blobs"
    broken = [path for place in (layers, blobs) for path in place.rglob("*") if path.is_file()]
    assert broken
    for path in broken:
        with path.open("r+b") as file:
            file.truncate(min(path.stat().st_size, 100))
    work.server.start()
    task = work.run_shell(REST)
    ended = work.wait_one(task, "STOPPED")

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith(("CannotCreateContainerError: ", "CannotPullContainerError: "))
    work.stop_all()


def test_no_address_left(new_server: NewServer):
    """The task that gets no address ends and says which subnet is full; addresses that come back are given again."""
    work = new_server("--vpc-cidr", "10.213.7.0/24")
    free = work.free_addresses()
    assert set(free.values()) == {FREE_IN_SMALLEST_SUBNET}
    subnet = next(iter(free))
    definition = work.register(shell(REST))
    tasks = work.run(definition, 10, [subnet]) + work.run(definition, 1, [subnet])
    work.wait(tasks, "RUNNING")
    (late,) = work.run(definition, 1, [subnet])
    ended = work.wait_one(late, "STOPPED")

    assert ended["stopCode"] == "TaskFailedToStart"
    assert subnet in ended["stoppedReason"]
    assert "InsufficientFreeAddressesInSubnet" in ended["stoppedReason"]
    assert work.free_addresses()[subnet] == 0
    elsewhere = work.run(definition, 1, list(free))
    work.wait(elsewhere, "RUNNING")
    work.server.kill()
    work.server.start()
    work.stop(tasks[:1])
    work.wait(tasks[:1], "STOPPED")
    work.wait(work.run(definition, 1, [subnet]), "RUNNING")
    work.stop_all()
    assert work.free_addresses() == free


def waiting_reason(work: Workload, task: str) -> str:
    text = work.server.cli("describe", task.rpartition("/")[2]).stdout
    return next((line for line in text.splitlines() if line.startswith("Waits for")), "")


def test_no_memory_left(new_server: NewServer):
    """A task that does not fit now waits, says for what, can be stopped, and is still there after a kill -9."""
    options = ("--strict-capacity", "--scratch", "unlimited")  # whatever this machine's disk has
    work = new_server(*options, "--reserve-memory", str(total_mib() - 1500))
    definition = work.register(shell(REST), cpu="512", memory="1024")
    (first,), (second,), (third,) = (work.run(definition) for _ in range(3))
    work.wait_one(first, "RUNNING")
    until(lambda: "MiB" in waiting_reason(work, second), "the reason is told", 10)
    assert work.describe([second])[second]["lastStatus"] == "PROVISIONING"
    work.server.kill()
    work.server.start()
    assert work.describe([second])[second]["lastStatus"] == "PROVISIONING"
    work.stop([third], "not needed")
    assert work.wait_one(third, "STOPPED")["stoppedReason"] == "not needed"

    work.stop([first])
    work.wait_one(first, "STOPPED")
    work.wait_one(second, "RUNNING")
    work.stop_all()


def test_a_task_that_never_fits(new_server: NewServer):
    """A task that is larger than the machine ends at once, with the figures."""
    work = new_server("--reserve-memory", str(total_mib() - 600))
    (task,) = work.run(work.register(shell(REST), cpu="512", memory="1024"))
    ended = work.wait_one(task, "STOPPED")

    assert ended["stopCode"] == "TaskFailedToStart"
    assert "1024 MiB" in ended["stoppedReason"]
    work.stop_all()


def total_mib() -> int:
    """Of this host."""
    from tidegate.node.agent.capacity import read_memory

    return read_memory().total_mib


def test_a_container_directory_that_cannot_be_made(work: Workload):
    """What goes wrong in one task's directory ends that task with a reason, and no other."""
    other = work.run_shell(REST)
    work.wait_one(other, "RUNNING")
    tasks = work.server.state.node / "tasks"
    kept = tasks.with_name("kept")
    tasks.rename(kept)
    tasks.touch()
    try:
        (late,) = work.run(work.register(shell(REST)))
        until(lambda: waiting_reason(work, late), "the reason is told", 10)
    finally:
        tasks.unlink()
        kept.rename(tasks)
    work.wait([late, other], "RUNNING")
    work.stop_all()
