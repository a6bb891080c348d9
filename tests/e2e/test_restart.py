"""Containers of this host that are started again by their restart policy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fixtures.nodes import RealNode, logged, real_node, shell
from tidegate.model.spec import RestartPolicy
from tidegate.model.status import LastStatus, Observation

pytestmark = [pytest.mark.anyio, pytest.mark.host]

AT_ONCE = RestartPolicy(attempt_period_seconds=0.0, ignored_exit_codes=(9,))
COUNT = "n=$(cat /n 2>/dev/null || echo 0); n=$((n+1)); echo $n >/n; "
"""Counts its own lives in its root file system."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node(tmp_path: Path, busybox: Path) -> AsyncIterator[RealNode]:
    async with real_node(tmp_path / "state", busybox) as found:
        yield found


def is_stopped(observation: Observation) -> bool:
    return observation.last_status is LastStatus.STOPPED


async def test_lives_of_a_container(node: RealNode):
    """
    It comes back with its root file system and its environment; each life's output is whole and in order, a last line
    without an end included; an exit code that is ignored is final.
    """
    script = COUNT + 'echo "$n $WORD"; seq 100; printf "end $n"; test $n -lt 5 || exit 9; exit 3'
    async with node.running():
        task = logged(node.task(shell("app", script, restart_policy=AT_ONCE, environment={"WORD": "tide"})))
        await node.node.engine.submit(task, None)
        last = await node.until(task, is_stopped)
        lines = await node.output(task, "app")

    numbers = [str(i) for i in range(1, 101)]
    assert lines == [line for n in range(1, 6) for line in (f"{n} tide", *numbers, f"end {n}")]
    assert (last.containers[0].exit_code, last.containers[0].restart_count) == (9, 4)
    assert last.stop_code == "EssentialContainerExited"


async def test_neighbours_go_on(node: RealNode):
    """The other containers of the task run on, with the network that all share."""
    web = "trap 'exit 0' TERM; while true; do echo hello | nc -l -p 7000 & wait $!; done"
    async with node.running():
        client = shell("app", COUNT + "sleep 0.2; nc -w 2 127.0.0.1 7000 </dev/null; exit 1", restart_policy=AT_ONCE)
        task = logged(node.task(client, shell("web", web)))
        await node.node.engine.submit(task, None)
        now = await node.until(task, lambda o: o.containers[0].restart_count >= 3)
        await node.stop(task)
        lines = await node.output(task, "app")

    assert (now.last_status, now.containers[1].restart_count) == (LastStatus.RUNNING, 0)
    assert now.containers[1].state == "RUNNING"
    assert lines.count("hello") >= 2


async def test_restarts_while_the_node_dies(node: RealNode):
    """Restarts are carried on after the node died at any moment of them; every life writes once, in order."""
    script = COUNT + "echo $n; sleep 0.05; exit 1"
    async with node.running():
        task = logged(node.task(shell("app", script, restart_policy=AT_ONCE)))
        await node.run(task)
    for number in range(1, 6):
        async with node.running():
            await node.until(task, lambda o, n=number: o.containers[0].restart_count >= 2 * n)  # type: ignore[misc]
    async with node.running():
        await node.until(task, lambda o: o.containers[0].restart_count >= 12)
        last = await node.stop(task)
        lines = await node.output(task, "app")

    assert lines == [str(n) for n in range(1, len(lines) + 1)]
    assert len(lines) in (last.containers[0].restart_count, last.containers[0].restart_count + 1)
