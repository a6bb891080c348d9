"""What every engine promises, whatever it runs tasks on."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from fakes.node import World
from fakes.specs import task_spec
from tidegate.engine.engine import Cap, Engine, Gap
from tidegate.engine.local import LocalEngine
from tidegate.engine.sim import SimEngine
from tidegate.model.session import ExecRequest, SessionFailure
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.model.status import LastStatus, Node, Observation
from tidegate.node.agent.agent import Agent
from tidegate.node.agent.capacity import Capacity, Memory

pytestmark = pytest.mark.anyio

Maker = Callable[[], AbstractAsyncContextManager[Engine]]
NODE = Node(
    id="node-1",
    availability_zone="",
    architecture="x86_64",
    total_cpu_units=4096,
    total_memory_mib=8192,
    free_cpu_units=4096,
    free_memory_mib=8192,
)


@asynccontextmanager
async def sim() -> AsyncIterator[Engine]:
    engine = SimEngine([NODE])
    async with engine.open():
        yield engine


@asynccontextmanager
async def local_over_fakes() -> AsyncIterator[Engine]:
    world = World()
    with TemporaryDirectory() as directory:
        async with world.running():
            parts = world.parts()
            engine = LocalEngine(
                lambda publish: Agent(Path(directory), parts, publish),
                parts.network,
                Capacity("local", reserve_mib=0, memory=lambda: Memory(8192, 8192)),
            )
            async with engine.open():
                yield engine


@pytest.fixture(params=[sim, local_over_fakes], ids=["sim", "local"])
def make_engine(request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param
    return maker


def runs(image: str = "sim/run", **changes: object) -> TaskSpec:
    return task_spec(ContainerSpec(name="app", image=image, stop_timeout_seconds=2, **changes))  # type: ignore[arg-type]


async def submit(engine: Engine, spec: TaskSpec) -> None:
    (node, *_) = await engine.nodes()
    await engine.submit(spec, node.id)


async def reached(engine: Engine, task: str, status: LastStatus) -> Observation:
    """The first observation at or past `status`."""
    watch = engine.watch()
    with anyio.fail_after(60):
        for observation in engine.snapshot():
            if observation.task == task and observation.last_status.rank >= status.rank:
                return observation
        async for item in watch:
            if isinstance(item, Gap):
                continue
            if item.task == task and item.last_status.rank >= status.rank:
                return item
    raise AssertionError("unreachable")


async def test_runs_and_stops(make_engine: Maker):
    """A submitted task runs; told to stop, it comes to STOPPED with the reason given and its exit code."""
    async with make_engine() as engine:
        spec = runs()
        await submit(engine, spec)
        running = await reached(engine, spec.id, LastStatus.RUNNING)
        assert running.started_at is not None
        assert running.containers[0].state == "RUNNING"

        await engine.stop(spec.id, "because", "UserInitiated")
        stopped = await reached(engine, spec.id, LastStatus.STOPPED)

        assert (stopped.stop_code, stopped.stopped_reason) == ("UserInitiated", "because")
        assert stopped.containers[0].exit_code == 143
        assert stopped.stopped_at is not None


async def test_exit_of_essential_container(make_engine: Maker):
    """An essential container that exits ends the task, and its code is kept."""
    async with make_engine() as engine:
        spec = runs("sim/exit:3-after-0.1")
        await submit(engine, spec)
        stopped = await reached(engine, spec.id, LastStatus.STOPPED)

        assert stopped.stop_code == "EssentialContainerExited"
        assert stopped.stopped_reason == "Essential container in task exited"
        assert stopped.containers[0].exit_code == 3
        assert stopped.started_at is not None


async def test_missing_image(make_engine: Maker):
    """A task whose image can't be had ends with the reason, and never ran."""
    async with make_engine() as engine:
        spec = runs("sim/missing")
        await submit(engine, spec)
        stopped = await reached(engine, spec.id, LastStatus.STOPPED)

        assert stopped.stop_code == "TaskFailedToStart"
        assert stopped.stopped_reason.startswith("CannotPullContainerError: ")
        assert stopped.started_at is None
        assert stopped.containers[0].exit_code is None


async def test_stubborn_container(make_engine: Maker):
    """A container that ignores its stop signal is killed when its stop timeout has passed."""
    async with make_engine() as engine:
        spec = runs("sim/stubborn")
        await submit(engine, spec)
        await reached(engine, spec.id, LastStatus.RUNNING)
        await engine.stop(spec.id, "because")
        stopped = await reached(engine, spec.id, LastStatus.STOPPED)

        assert stopped.containers[0].exit_code == 137
        assert stopped.execution_stopped_at is not None
        assert stopped.stopping_at is not None
        assert stopped.execution_stopped_at - stopped.stopping_at >= 1.99


async def test_idempotent(make_engine: Maker):
    """Submitting, stopping and forgetting again changes nothing; stopping an unknown task is no error."""
    async with make_engine() as engine:
        spec = runs()
        await engine.stop("f" * 32, "nobody")
        for _ in range(2):
            await submit(engine, spec)
        await reached(engine, spec.id, LastStatus.RUNNING)
        await engine.forget(spec.id)
        assert [o.task for o in engine.snapshot()] == [spec.id], "a task that runs is not forgotten"

        await engine.stop(spec.id, "first")
        await engine.stop(spec.id, "second")
        stopped = await reached(engine, spec.id, LastStatus.STOPPED)
        assert stopped.stopped_reason == "first"

        for _ in range(2):
            await engine.forget(spec.id)
        assert engine.snapshot() == []


async def test_observations_only_grow(make_engine: Maker):
    """A task's revisions grow and its states never go back, and no state is seen twice with different times."""
    async with make_engine() as engine:
        spec = runs("sim/exit:0-after-0.1")
        seen: list[Observation] = []
        watch = engine.watch()
        await submit(engine, spec)
        with anyio.fail_after(60):
            async for item in watch:
                assert isinstance(item, Observation)
                seen.append(item)
                if item.last_status is LastStatus.STOPPED:
                    break

        assert all(a.revision < b.revision for a, b in itertools.pairwise(seen))
        assert all(a.last_status.rank <= b.last_status.rank for a, b in itertools.pairwise(seen))
        assert len({o.started_at for o in seen if o.started_at is not None}) == 1


async def test_stop_at_once(make_engine: Maker):
    """A task that is told to stop right after it was submitted comes to STOPPED, whether it ran or not."""
    async with make_engine() as engine:
        spec = runs()
        await submit(engine, spec)
        await engine.stop(spec.id, "at once")
        stopped = await reached(engine, spec.id, LastStatus.STOPPED)

        assert stopped.stopped_reason == "at once"


async def test_black_box(make_engine: Maker):
    """Of a task that runs, as it is now; of one that has ended, as it was, also when it is forgotten, until dropped."""
    async with make_engine() as engine:
        assert await engine.black_box("f" * 32) is None
        spec = runs()
        await submit(engine, spec)
        await reached(engine, spec.id, LastStatus.RUNNING)
        running = await engine.black_box(spec.id)
        assert running is None or not running.is_final

        await engine.stop(spec.id, "because")
        await reached(engine, spec.id, LastStatus.STOPPED)
        await engine.forget(spec.id)
        await engine.retain([spec.id])
        kept = await engine.black_box(spec.id)
        assert kept is not None
        assert (kept.is_final, [c.name for c in kept.containers]) == (True, ["app"])
        await engine.retain([])
        assert await engine.black_box(spec.id) is None


async def nothing_more(data: bytes = b"") -> bytes:
    await anyio.lowlevel.checkpoint()
    return b""


async def test_a_command_in_a_container(make_engine: Maker):
    """An engine with Cap.EXEC runs it in a container that runs; one without refuses, as each does for all others."""
    async with make_engine() as engine:
        spec, command = runs(), ExecRequest(command=("true",))
        await submit(engine, spec)
        await reached(engine, spec.id, LastStatus.RUNNING)
        if Cap.EXEC in engine.caps:
            session = await engine.exec(spec.id, "app", command)
            assert await session.wait() == 0
            await session.end()
        for task, container in ((spec.id, "nosuch"), ("f" * 32, "app")):
            with pytest.raises(SessionFailure):
                await engine.exec(task, container, command)
        await engine.stop(spec.id, "because")
        await reached(engine, spec.id, LastStatus.STOPPED)
        with pytest.raises(SessionFailure):
            await engine.exec(spec.id, "app", command)


async def test_no_way_into_what_does_not_run(make_engine: Maker):
    """No connection, no files: of a task that nobody knows, and of one that has ended."""
    async with make_engine() as engine:
        spec = runs("sim/exit:0-after-0.1")
        await submit(engine, spec)
        await reached(engine, spec.id, LastStatus.STOPPED)
        for task in (spec.id, "f" * 32):
            with pytest.raises(SessionFailure):
                await engine.dial(task, 80)
            with pytest.raises(SessionFailure):
                await engine.copy_out(task, "app", "/", nothing_more)
            with pytest.raises(SessionFailure):
                await engine.copy_in(task, "app", "/", nothing_more)
