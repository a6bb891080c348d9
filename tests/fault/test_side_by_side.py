"""Two servers on one machine, each with its own bridge, range and cgroup."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.server import leftovers
from fixtures.workload import REST, Workload

pytestmark = [pytest.mark.fault, pytest.mark.host]


def cidr(work: Workload) -> str:
    (vpc,) = work.client("ec2").describe_vpcs()["Vpcs"]
    found: str = vpc["CidrBlock"]
    return found


def test_one_does_not_touch_the_other(new_server: Callable[..., Workload]):
    """A kill, a restart and a teardown of one server leave the tasks of the other as they are."""
    first, second = new_server(), new_server()
    tasks = {work: work.run_shell(REST) for work in (first, second)}
    for work, task in tasks.items():
        work.wait_one(task, "RUNNING")
    assert cidr(first) != cidr(second)
    before = second.describe([tasks[second]])

    first.server.kill()
    assert second.describe([tasks[second]]) == before
    first.server.start()
    assert first.describe([tasks[first]])[tasks[first]]["lastStatus"] == "RUNNING"
    first.server.teardown()
    assert leftovers(first.server) == []

    assert second.describe([tasks[second]]) == before
    second.stop([tasks[second]])
    assert second.wait_one(tasks[second], "STOPPED")["containers"][0]["exitCode"] == 0
    second.stop_all()
