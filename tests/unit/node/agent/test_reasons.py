"""
The reasons that need time to pass or a host to fail, whole tasks over fakes; those that a real host can be brought to
are in tests/e2e/test_stop_reasons.py.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from fakes.node import World
from fakes.specs import task_spec
from fixtures.agents import agent, is_, until
from tidegate.model.spec import ContainerSpec
from tidegate.model.status import LastStatus
from tidegate.node.agent.journal import StopRequest
from tidegate.node.agent.reasons import launch_reason, pull_reason
from tidegate.node.image.images import (
    ImageCorrupt,
    ImageError,
    ImageNotFound,
    ImageUnauthorized,
    ImageUnreachable,
    PullTimeout,
    WrongPlatform,
)
from tidegate.node.runtime.runtime import RuntimeFailure, RuntimeTimeout

pytestmark = pytest.mark.anyio

STOP = StopRequest("because", "UserInitiated")
APP = ContainerSpec(name="app", image="sim/run", stop_timeout_seconds=2)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ImageNotFound("no such tag"), "The task can’t pull the image. Check whether the image exists. no such tag"),
        (
            ImageUnauthorized("401"),
            "The task can’t pull the image. "
            "Check that the role has the permissions to pull images from the registry. 401",
        ),
        (ImageUnreachable("i/o"), "The task can’t pull the image. Check your network configuration. i/o"),
        (WrongPlatform("image Manifest does not"), "image Manifest does not"),
        (ImageCorrupt("digest mismatch"), "digest mismatch"),
        (ImageError("context canceled"), "context canceled"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_pull(error: ImageError, reason: str):
    """AWS's sentence before the registry's own words, where it has one for what went wrong."""
    assert pull_reason(error) == f"CannotPullContainerError: {reason}"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeFailure("create", "no room"), "CannotCreateContainerError: no room"),
        (RuntimeFailure("start", "exec: sh"), "CannotStartContainerError: exec: sh"),
        (OSError("full"), "CannotCreateContainerError: full"),
        (
            RuntimeTimeout("create", "it hangs", 240),
            "ContainerRuntimeTimeoutError: Could not transition to created; timed out after waiting 4m: it hangs",
        ),
        (
            RuntimeTimeout("start", "it hangs", 90),
            "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m30s: it hangs",
        ),
    ],
    ids=["create", "start", "os", "create-late", "start-late"],
)
def test_launch(error: RuntimeFailure | OSError, reason: str):
    """The step that failed names the error."""
    assert launch_reason(error) == reason


def test_slow_pull():
    """A pull that takes longer than two hours is a timeout of the runtime, not of the registry."""
    assert pull_reason(PullTimeout("not done within 7200 seconds", 7200)) == (
        "ContainerRuntimeTimeoutError: Could not transition to pulled; timed out after waiting 2h"
    )


async def test_start_that_hangs(tmp_path: Path):
    """A runtime that does not let the container run in a minute: ContainerRuntimeTimeoutError; nothing is left."""
    world = World()
    world.hanging.add("start")
    task = task_spec(APP)
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))

    reason = "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m"
    assert last.stopped_reason.startswith(reason)
    assert last.containers[0].reason == last.stopped_reason
    assert (last.stop_code, last.containers[0].exit_code) == ("TaskFailedToStart", None)
    assert world.is_empty()


async def test_network_that_hangs(tmp_path: Path):
    """A network interface that does not come ends the task in AWS's words."""
    world = World()
    world.hanging.add("attach")
    task = task_spec(APP)
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.stop_code == "TaskFailedToStart"
    assert last.stopped_reason == "Timeout waiting for network interface provisioning to complete."
    assert world.is_empty()


async def test_container_that_can_not_be_signalled(tmp_path: Path):
    """The container says what went wrong while the task still tries; it is killed as soon as that works."""
    world = World()
    task = task_spec(APP)
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.RUNNING))
        world.kill_failure = OSError("no such luck")
        node.stop(task.id, STOP)
        said = await until(node, task, lambda o: bool(o.containers[0].reason))
        assert said.containers[0].reason == (
            "CannotStopContainerError: failed sending SIGTERM to container: no such luck"
        )
        assert said.containers[0].state == "RUNNING"
        await until(node, task, lambda o: "SIGKILL" in o.containers[0].reason)
        await anyio.sleep(60)
        world.kill_failure = None
        last = await until(node, task, is_(LastStatus.STOPPED))

    assert last.containers[0].exit_code == 137
    assert last.containers[0].reason.startswith("CannotStopContainerError: failed sending SIGKILL to container: ")
    assert (last.stop_code, last.stopped_reason) == ("UserInitiated", "because")
    assert world.is_empty()


async def test_restart_of_the_host(tmp_path: Path):
    """A task that ran when its host was restarted is STOPPED with that reason; nothing of it is started again."""
    world = World()
    task = task_spec(APP, ContainerSpec(name="side", image="sim/run", essential=False))
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await until(node, task, is_(LastStatus.RUNNING))
        world.restart_host()
        async with agent(world, tmp_path) as node:
            last = await until(node, task, is_(LastStatus.STOPPED))

    assert (last.stop_code, last.stopped_reason) == ("TerminationNotice", "The host of the task was restarted.")
    assert {(c.exit_code, c.reason[:40]) for c in last.containers} == {
        (None, "ContainerRuntimeError: the container ended with its host"[:40])
    }
    assert world.events.count("start app") == 1
    assert world.is_empty()


async def test_restart_of_the_host_during_a_stop(tmp_path: Path):
    """Who asked first is right: a task that was told to stop says so, whatever else happened."""
    world = World()
    task = task_spec(ContainerSpec(name="app", image="sim/stubborn"))
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await until(node, task, is_(LastStatus.RUNNING))
            node.stop(task.id, STOP)
            await anyio.sleep(1)
        world.restart_host()
        async with agent(world, tmp_path) as node:
            last = await until(node, task, is_(LastStatus.STOPPED))

    assert (last.stop_code, last.stopped_reason) == ("UserInitiated", "because")


async def test_restart_of_the_host_before_the_start(tmp_path: Path):
    """A task that was accepted and of which nothing ran yet is launched after a restart of the host."""
    world = World()
    task = task_spec(APP)
    async with world.running():
        async with agent(world, tmp_path) as node:
            node.submit(task)
            await anyio.sleep(0.015)
        world.restart_host()
        async with agent(world, tmp_path) as node:
            await until(node, task, is_(LastStatus.RUNNING))
            node.stop(task.id, STOP)
            await until(node, task, is_(LastStatus.STOPPED))

    assert world.events.count("start app") == 1
    assert world.is_empty()
