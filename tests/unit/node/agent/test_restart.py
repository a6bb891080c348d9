"""Containers that are started again: the rule, and whole tasks over fakes on virtual time, with crashes."""

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
from tidegate.model.spec import ContainerSpec, HealthCheck, RestartPolicy
from tidegate.model.status import LastStatus, Observation
from tidegate.node.agent.journal import StopRequest
from tidegate.node.agent.restart import should_restart

pytestmark = pytest.mark.anyio

STOP = StopRequest("because", "UserInitiated")
AGAIN = RestartPolicy(attempt_period_seconds=60)


def app(seconds: float = 100, code: int = 3, policy: RestartPolicy = AGAIN, **more: object) -> ContainerSpec:
    """Exits after so many seconds."""
    image = f"sim/exit:{code}-after-{seconds}"
    return ContainerSpec(name="app", image=image, restart_policy=policy, **more)  # type: ignore[arg-type]


@given(st.integers(0, 255), st.lists(st.integers(0, 255)), st.floats(0, 5000), st.floats(60, 1800), st.booleans())
def test_rule(code: int, ignored: list[int], ran: float, period: float, is_stopping: bool):
    """It is started again if it ran for the period, with an exit code that counts, in a task that is to go on."""
    policy = RestartPolicy(ignored_exit_codes=tuple(ignored), attempt_period_seconds=period)
    found = should_restart(policy, exit_code=code, ran_seconds=ran, is_stopping=is_stopping)

    assert found == (not is_stopping and code not in ignored and ran >= period)
    assert not should_restart(None, exit_code=code, ran_seconds=ran, is_stopping=is_stopping)
    assert not should_restart(policy, exit_code=None, ran_seconds=ran, is_stopping=is_stopping)


def restarts(count: int):
    return lambda observation: observation.containers[0].restart_count >= count


@pytest.mark.parametrize("is_essential", [True, False], ids=["essential", "not-essential"])
async def test_starts_again_and_again(tmp_path: Path, is_essential: bool):
    """The container runs again, the task goes on as if nothing had been, and each restart is counted."""
    world, seen = World(), []
    side = ContainerSpec(name="side", image="sim/run", depends_on=needs("app", "START"))
    task = task_spec(app(essential=is_essential), side)
    async with world.running(), agent(world, tmp_path, seen) as node:
        node.submit(task)
        last = await until(node, task, lambda o: restarts(3)(o) and not o.containers[0].is_restarting)

        found = last.containers[0]
        assert (last.last_status, found.state, found.exit_code) == (LastStatus.RUNNING, "RUNNING", None)
        assert world.events.count("start app") == 4
        assert world.events.count("start side") == 1, "who depends on it is not touched"
        assert found.started_at is not None
        assert found.restarted_at is not None
        assert found.restarted_at - found.started_at == pytest.approx(300, abs=1)
        assert {o.last_status for o in seen[seen.index(last) - 3 :]} == {LastStatus.RUNNING}
        node.stop(task.id, STOP)
        ended = await until(node, task, is_(LastStatus.STOPPED))

    assert (ended.containers[0].exit_code, ended.containers[0].restart_count) == (143, 3)
    assert world.is_empty()


@pytest.mark.parametrize(
    ("container", "why"),
    [
        (app(seconds=59), "it did not run for the period"),
        (app(policy=RestartPolicy(ignored_exit_codes=(3,), attempt_period_seconds=60)), "its code is ignored"),
    ],
    ids=["too-soon", "ignored"],
)
async def test_exit_that_is_final(tmp_path: Path, container: ContainerSpec, why: str):
    """An exit that the policy does not cover is final, and the rule for essential containers applies."""
    world = World()
    task = task_spec(container)
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert (last.containers[0].exit_code, last.containers[0].restart_count) == (3, 0), why
    assert last.stop_code == "EssentialContainerExited"
    assert world.events.count("start app") == 1


async def test_period_counts_from_the_last_start(tmp_path: Path):
    """What ran for long enough before does not help: each life is measured from its own start."""
    world = World()
    task = task_spec(app(seconds=100))
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, lambda o: restarts(1)(o) and not o.containers[0].is_restarting)
        await anyio.sleep(59)
        world.containers[f"{task.id}-app"].end(4)
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert (last.containers[0].exit_code, last.containers[0].restart_count) == (4, 1)


async def test_health_begins_anew(tmp_path: Path):
    """After a restart a container is UNKNOWN until its checks say otherwise, and its start period runs again."""
    world, seen = World(), []
    check = HealthCheck(command=("true",), interval_seconds=10, retries=1, start_period_seconds=15)
    task = task_spec(app(health_check=check))
    async with world.running(), agent(world, tmp_path, seen) as node:
        node.submit(task)
        await until(node, task, lambda o: o.containers[0].health == "HEALTHY")
        await anyio.sleep(90)
        world.health = lambda _: False
        again = await until(node, task, lambda o: restarts(1)(o) and o.containers[0].health == "UNHEALTHY")

    healths = [o.containers[0].health for o in seen if restarts(1)(o)]
    assert list(dict.fromkeys(healths)) == ["UNKNOWN", "UNHEALTHY"]
    assert again.containers[0].restarted_at is not None
    unhealthy_at = next(o for o in seen if restarts(1)(o) and o.containers[0].health == "UNHEALTHY")
    assert unhealthy_at.containers[0].health == "UNHEALTHY"


async def test_restart_that_fails(tmp_path: Path):
    """A container that can't be let run again ends with the reason and the exit code of its last life."""
    world = World()
    task = task_spec(app())
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.RUNNING))
        world.cannot_start.add(f"{task.id}-app")
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.containers[0].reason == "CannotStartContainerError: exec: no such file"
    assert last.containers[0].exit_code == 3
    assert last.stop_code == "EssentialContainerExited"
    assert world.is_empty()


async def test_no_restart_in_a_task_that_stops(tmp_path: Path):
    """A container that exits while its task is being stopped stays so, whatever its policy says."""
    world = World()
    side = ContainerSpec(name="side", image="sim/stubborn", depends_on=needs("app", "START"), stop_timeout_seconds=30)
    task = task_spec(app(seconds=100), side)
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.RUNNING))
        await anyio.sleep(80)
        node.stop(task.id, STOP)
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert (last.containers[0].exit_code, last.containers[0].restart_count) == (3, 0)


CRASHES = st.lists(st.floats(0, 0.05) | st.floats(50, 90), max_size=4)
"""Seconds after a start of the node."""
LATE_CRASHES = st.lists(st.floats(0, 0.03), max_size=3)
"""Seconds after a restart has begun."""


@settings(max_examples=40, deadline=None)
@given(CRASHES, LATE_CRASHES)
def test_survives_crashes(crashes: list[float], late_crashes: list[float]):
    """
    Whenever the node dies: every exit that counts is followed by one start, restarts are counted once each, and what
    runs is never killed for it.
    """

    async def play(directory: Path) -> None:
        world, seen = World(), []
        task = task_spec(app(seconds=61))
        async with world.running():
            for pause in crashes:
                async with agent(world, directory, seen) as node:
                    node.submit(task)
                    await anyio.sleep(pause)
            for pause in late_crashes:
                async with agent(world, directory, seen) as node:
                    node.submit(task)
                    known = (await until(node, task, is_settled)).containers[0]
                    await anyio.sleep_until((known.last_started_at or 0) + 60.99)
                    await until(node, task, restarts(known.restart_count + 1), every_seconds=0.001)
                    await anyio.sleep(pause)
            async with agent(world, directory, seen) as node:
                node.submit(task)
                last = await until(node, task, lambda o: is_settled(o) and restarts(1)(o), every_seconds=0.5)
                assert world.events.count("exit app") == last.containers[0].restart_count
                assert world.events.count("start app") == last.containers[0].restart_count + 1
                node.stop(task.id, STOP)
                await until(node, task, is_(LastStatus.STOPPED))
                assert world.is_empty()
        counts = [o.containers[0].restart_count for o in seen]
        assert counts == sorted(counts)

    with TemporaryDirectory() as directory:
        trio.run(play, Path(directory), clock=trio.testing.MockClock(autojump_threshold=0))


def is_settled(observation: Observation) -> bool:
    return observation.containers[0].state == "RUNNING" and not observation.containers[0].is_restarting
