"""What every runtime promises; run over conmon with crun, conmon with runc, and the fake."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from fixtures.containers import RealHost, missing_for_containers, real_host
from tidegate.node.runtime.runtime import Exit, RuntimeFailure

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(
    params=[
        pytest.param(
            "crun", marks=[pytest.mark.host, pytest.mark.skipif(bool(missing_for_containers("crun")), reason="crun")]
        ),
        pytest.param(
            "runc", marks=[pytest.mark.host, pytest.mark.skipif(bool(missing_for_containers("runc")), reason="runc")]
        ),
    ]
)
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RealHost]:
    async with real_host(tmp_path, request.param) as made:
        yield made


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_exit_code(host: RealHost, code: int) -> None:
    """A container's exit code is that of its first process."""
    bundle = host.bundle()
    container = await host.runtime.create(bundle, host.config(bundle, ["sh", "-c", f"echo hello; exit {code}"]))
    await container.start()
    assert (await container.wait()).code == code
    assert "stdout F hello" in host.output(bundle)
    await container.remove()


async def test_nothing_runs_before_start(host: RealHost) -> None:
    """A created container has not run its first instruction."""
    bundle = host.bundle()
    container = await host.runtime.create(bundle, host.config(bundle, ["echo", "hello"]))
    assert host.output(bundle) == ""
    await container.remove()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_signal(host: RealHost, number: int) -> None:
    """A container ended by a signal has the code 128 + signal."""
    bundle = host.bundle()
    container = await host.runtime.create(
        bundle, host.config(bundle, ["sh", "-c", "trap 'exit 143' TERM; sleep 100 & wait"])
    )
    await container.start()
    with anyio.fail_after(10):
        while len(host.cgroups.pids(bundle.cgroup)) < 2:  # noqa: ASYNC110 - another process is awaited
            await anyio.sleep(0.01)
    container.kill(number)
    assert (await container.wait()).code == 128 + number
    container.kill(number)
    await container.remove()


async def test_unknown_command(host: RealHost) -> None:
    """A command that is not there fails to start, with the runtime's own words."""
    bundle = host.bundle()
    with pytest.raises(RuntimeFailure, match="nonsense") as raised:
        await host.runtime.create(bundle, host.config(bundle, ["nonsense"]))
    assert raised.value.step == "start"


async def test_remove_running(host: RealHost) -> None:
    """Removing ends what runs; it can be repeated, and the exit stays known."""
    bundle = host.bundle()
    container = await host.runtime.create(bundle, host.config(bundle, ["sleep", "100"]))
    await container.start()
    await container.remove()
    await container.remove()
    ended = await container.wait()
    assert ended == Exit(137, False, ended.finished_at)
