"""The node's agent: whole tasks over fakes, on virtual time, with crashes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.node import World
from fakes.specs import task_spec
from fixtures.agents import agent, is_, needs, until
from tidegate.model.spec import ContainerSpec, HealthCheck, LogTarget
from tidegate.model.status import LastStatus
from tidegate.node.agent.journal import Journal, StopRequest
from tidegate.node.network.network import NetworkFailure

pytestmark = pytest.mark.anyio

STOP = StopRequest("because", "UserInitiated")


TRIO = (
    ContainerSpec(name="nginx", image="sim/run", depends_on=needs("web", "HEALTHY")),
    ContainerSpec(
        name="web",
        image="sim/run",
        depends_on=needs("db", "HEALTHY"),
        health_check=HealthCheck(command=("true",), interval_seconds=5),
    ),
    ContainerSpec(name="db", image="sim/run", health_check=HealthCheck(command=("true",), interval_seconds=5)),
)


async def test_starts_and_stops_in_order(tmp_path: Path):
    """Containers start in the order of their dependencies and stop in the reverse one; then nothing is left."""
    world = World()
    async with world.running(), agent(world, tmp_path) as node:
        task = task_spec(*TRIO)
        node.submit(task)
        running = await until(node, task, is_(LastStatus.RUNNING))
        assert {c.name: c.health for c in running.containers} == {"nginx": "UNKNOWN", "web": "HEALTHY", "db": "HEALTHY"}

        node.stop(task.id, STOP)
        await until(node, task, is_(LastStatus.STOPPED))

        starts = [e for e in world.events if e.startswith("start")]
        exits = [e for e in world.events if e.startswith("exit")]
        assert starts == ["start db", "start web", "start nginx"]
        assert exits == ["exit nginx", "exit web", "exit db"]
        assert world.is_empty()


async def test_what_runs_is_told_at_once(tmp_path: Path):
    """A container that runs is said to, also while its task waits for others."""
    world = World()
    check = HealthCheck(command=("false",), interval_seconds=300)
    world.health = lambda _: False
    first = ContainerSpec(name="first", image="sim/run", health_check=check)
    late = ContainerSpec(name="late", image="sim/run", depends_on=needs("first", "HEALTHY"))
    async with world.running(), agent(world, tmp_path) as node:
        task = task_spec(late, first)
        node.submit(task)
        await anyio.sleep(1)
        (seen,) = node.observations()

    assert {c.name: c.state for c in seen.containers} == {"late": "PENDING", "first": "RUNNING"}
    assert seen.pull_started_at is not None
    assert Journal(tmp_path / "tasks" / task.id).read_observation() == seen


async def test_states_and_times(tmp_path: Path):
    """All eight states but PROVISIONING are said, in order, each with its time."""
    world, seen = World(), []
    async with world.running(), agent(world, tmp_path, seen) as node:
        task = task_spec(ContainerSpec(name="app", image="sim/exit:0-after-1"))
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))

    states = list(dict.fromkeys(o.last_status for o in seen))
    assert states == [s for s in LastStatus if s is not LastStatus.PROVISIONING]
    times = [
        last.connected_at,
        last.pull_started_at,
        last.pull_stopped_at,
        last.started_at,
        last.stopping_at,
        last.execution_stopped_at,
        last.stopped_at,
    ]
    assert times == sorted(t for t in times if t is not None)
    assert {p.name for p in last.timeline} >= {"network", "pull sim/exit:0-after-1", "create app", "start app"}


async def test_failed_network(tmp_path: Path):
    """A task that gets no network ends with the reason; its containers never ran; nothing is left."""
    world = World()
    world.network_failure = NetworkFailure("cannot make the interface: no room")
    async with world.running(), agent(world, tmp_path) as node:
        task = task_spec(ContainerSpec(name="app", image="sim/run"))
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.stop_code == "TaskFailedToStart"
    assert last.stopped_reason == "ResourceInitializationError: cannot make the interface: no room"
    assert last.containers[0].exit_code is None
    assert world.is_empty()


async def test_container_that_cannot_start(tmp_path: Path):
    """A container whose program can't be executed: CannotStartContainerError, and the task never ran."""
    world = World()
    task = task_spec(ContainerSpec(name="app", image="sim/run"))
    world.cannot_start.add(f"{task.id}-app")
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.containers[0].reason == "CannotStartContainerError: exec: no such file"
    assert (last.stop_code, last.started_at) == ("TaskFailedToStart", None)
    assert world.is_empty()


async def test_out_of_memory(tmp_path: Path):
    """A container that the kernel killed for its memory says so."""
    world = World()
    async with world.running(), agent(world, tmp_path) as node:
        task = task_spec(ContainerSpec(name="app", image="sim/exit:137-after-1"))
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.containers[0].reason == "OutOfMemoryError: Container killed due to memory usage"
    assert last.containers[0].exit_code == 137


async def test_unhealthy(tmp_path: Path):
    """A container whose checks fail is UNHEALTHY after `retries` regular checks, and the task runs on."""
    world = World()
    world.health = lambda _: False
    check = HealthCheck(command=("false",), interval_seconds=10, retries=2, start_period_seconds=15)
    async with world.running(), agent(world, tmp_path) as node:
        task = task_spec(ContainerSpec(name="app", image="sim/run", health_check=check))
        node.submit(task)
        unhealthy = await until(node, task, lambda o: o.containers[0].health == "UNHEALTHY")

        assert unhealthy.started_at is not None
        assert 29.9 <= anyio.current_time() - unhealthy.started_at <= 31, "10 s is in the start period; 20, 30 count"
        assert unhealthy.last_status is LastStatus.RUNNING


async def test_log_stream_is_opened_before_the_start(tmp_path: Path):
    """A container's log stream exists before the container does."""
    world = World()
    target = LogTarget(group="/app", stream="web/app/1", create_group=True)
    async with world.running(), agent(world, tmp_path) as node:
        task = task_spec(ContainerSpec(name="app", image="sim/run", log=target))
        node.submit(task)
        await until(node, task, is_(LastStatus.RUNNING))

    assert world.streams == [target]


async def test_half_written_task_is_dropped(tmp_path: Path):
    """A directory without a specification (a crash before the task was accepted) is removed."""
    world = World()
    (tmp_path / "tasks" / ("a" * 32)).mkdir(parents=True)
    async with world.running(), agent(world, tmp_path) as node:
        assert node.observations() == []

    assert list((tmp_path / "tasks").iterdir()) == []


async def test_lost_container(tmp_path: Path):
    """A container that ran and is gone when the node comes back (the host was restarted) is STOPPED, and says so."""
    world = World()
    task = task_spec(ContainerSpec(name="app", image="sim/run"))
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await until(node, task, is_(LastStatus.RUNNING))
        world.containers.clear()
        async with agent(world, tmp_path) as node:
            last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.containers[0].exit_code is None
    assert "lost" in last.containers[0].reason
    assert last.stop_code == "EssentialContainerExited"


CRASHES = st.lists(st.floats(0, 3), max_size=5)


@settings(max_examples=60, deadline=None)
@given(CRASHES, st.booleans(), st.sampled_from(["sim/run", "sim/exit:3-after-1", "sim/stubborn", "sim/missing"]))
def test_survives_crashes(crashes: list[float], stops: bool, image: str):
    """
    Whenever the node dies and however often: a task that was accepted comes to STOPPED with a reason, its revisions
    only grow, a container is started once, and nothing is left over.
    """

    async def play(directory: Path) -> None:
        world, seen = World(), []
        task = task_spec(
            ContainerSpec(name="app", image=image, stop_timeout_seconds=2, depends_on=needs("side", "START")),
            ContainerSpec(name="side", image="sim/run", essential=False),
        )
        async with world.running():
            for index, pause in enumerate(crashes):
                async with agent(world, directory, seen) as node:
                    if index == 0:
                        node.submit(task)
                    await anyio.sleep(pause)
            async with agent(world, directory, seen) as node:
                node.submit(task)
                if stops or image in ("sim/run", "sim/stubborn"):
                    node.stop(task.id, STOP)
                last = await until(node, task, is_(LastStatus.STOPPED))
                assert last.stop_code is not None
                assert world.is_empty()
                assert world.events.count("start app") <= 1
                assert world.events.count("start side") <= 1
                revisions = [o.revision for o in seen]
                assert revisions == sorted(set(revisions)), "revisions never go back"
                node.forget(task.id)
                assert Journal(directory / "tasks" / task.id).read_spec() is None

    with TemporaryDirectory() as directory:
        trio.run(play, Path(directory), clock=trio.testing.MockClock(autojump_threshold=0))


async def test_what_nobody_knows_is_taken_away(tmp_path: Path):
    """A task whose specification is lost goes whole; so do groups and interfaces without any directory."""
    world = World()
    task = task_spec(ContainerSpec(name="app", image="sim/run"))
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await until(node, task, is_(LastStatus.RUNNING))
        (tmp_path / "tasks" / task.id / "spec.json").unlink()
        world.namespaces.add("b" * 32)
        world.cgroups.add("c" * 32)
        async with agent(world, tmp_path) as node:
            assert node.observations() == []
            assert world.is_empty()

    assert list((tmp_path / "tasks").iterdir()) == []
