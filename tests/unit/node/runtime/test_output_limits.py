"""A supervisor can be kept from taking output, and its log from growing; the container notices as little as it may."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from fixtures.containers import RealHost, missing_for_containers, real_host
from tidegate.node.output.lines import LineJoiner
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.runtime import Container

pytestmark = [pytest.mark.anyio, pytest.mark.host]
COUNTS = ("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done; exit 3")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["crun", "runc"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RealHost]:
    if missing := missing_for_containers(request.param):
        pytest.skip(missing)
    async with real_host(tmp_path, request.param) as made:
        yield made


async def created(host: RealHost, *command: str) -> tuple[Container, Path]:
    bundle = host.bundle()
    container = await host.runtime.create(bundle, host.config(bundle, command))
    return container, BundleFiles.of(bundle).log


def numbers(log: Path) -> list[int]:
    joiner = LineJoiner(0)
    joiner.feed(log.read_bytes())
    return [int(line) for burst, _ in joiner.take()[0] for line in burst.lines]


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - another process is awaited
            await anyio.sleep(0.005)


async def test_a_container_waits_while_its_output_is_held(host: RealHost):
    """Held, it stops when the pipe is full; let go on, it writes the rest, of which nothing is lost."""
    container, log = await created(host, *COUNTS)
    container.hold_output()
    await container.start()
    await anyio.sleep(0.5)  # of real time: what must not happen is that it ends
    assert log.read_bytes() == b""
    container.hold_output()
    container.resume_output()
    assert (await container.wait()).code == 3
    assert numbers(log) == list(range(1, 20001))
    await container.remove()


async def test_holding_a_container_that_has_ended_lets_go(host: RealHost):
    """Or nobody would ever hear how it ended."""
    container, _ = await created(host, *COUNTS)
    container.hold_output()
    await container.start()
    container.kill(signal.SIGKILL)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:

            async def hold() -> None:
                while True:
                    container.hold_output()
                    await anyio.sleep(0.01)

            group.start_soon(hold)
            assert (await container.wait()).code == 137
            group.cancel_scope.cancel()
    await container.remove()


async def test_a_log_at_its_limit_costs_lines_only(host: RealHost):
    """The file ends at the limit, the container goes on and ends as it would; a new limit is found and met again."""
    container, log = await created(host, *COUNTS)
    assert container.output_limit() is None
    container.limit_output(100_000)
    assert container.output_limit() == 100_000
    await container.start()
    assert (await container.wait()).code == 3
    assert log.stat().st_size == 100_000
    assert container.output_limit() is None, "nobody is there to limit"
    await container.remove()


async def test_a_container_does_not_inherit_the_limit(host: RealHost):
    """It is the supervisor's alone, and so is that it ignores the signal."""
    shown = "ulimit -f; grep SigIgn /proc/self/status; sleep 100"
    container, log = await created(host, "sh", "-c", shown)
    container.limit_output(50_000)
    await container.start()
    await until(lambda: "SigIgn" in log.read_text())
    limit, ignored = (line.split(" ", 3)[3] for line in log.read_text().splitlines())
    assert limit == "unlimited"
    assert not int(ignored.split()[1], 16) & 1 << (signal.SIGXFSZ - 1)
    await container.remove()
