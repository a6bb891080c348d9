"""What every runtime promises; run over conmon with crun, conmon with runc, and the fake."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest

from fakes.runtime import FakeRuntime
from fixtures.containers import RealHost, missing_for_containers, real_host
from tidegate.model.session import ExecRequest, SessionFailure
from tidegate.node.runtime.runtime import Bundle, Container, Runtime, RuntimeFailure

pytestmark = pytest.mark.anyio


class Host(Protocol):
    """A runtime and what it needs for containers."""

    @property
    def runtime(self) -> Runtime: ...
    def bundle(self, name: str = "") -> Bundle: ...
    def config(self, bundle: Bundle, arguments: Sequence[str]) -> dict[str, Any]: ...
    def second_runtime(self) -> Runtime: ...


class FakeHost:
    """The fake's host: directories alone."""

    def __init__(self, directory: Path) -> None:
        self.runtime = FakeRuntime()
        self._directory = directory
        self._count = 0

    def bundle(self, name: str = "") -> Bundle:
        self._count += 1
        name = name or f"c{self._count}"
        return Bundle(id=name, directory=self._directory / name, cgroup=f"/test/{name}")

    def config(self, bundle: Bundle, arguments: Sequence[str]) -> dict[str, Any]:
        return {"process": {"args": [*arguments]}}

    def second_runtime(self) -> FakeRuntime:
        return FakeRuntime(self.runtime.world)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(
    params=["fake", pytest.param("crun", marks=pytest.mark.host), pytest.param("runc", marks=pytest.mark.host)]
)
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Host]:
    if request.param == "fake":
        yield FakeHost(tmp_path)
        return
    if missing := missing_for_containers(request.param):
        pytest.skip(missing)
    async with real_host(tmp_path, request.param) as made:
        yield made


async def create(host: Host, *command: str) -> Container:
    bundle = host.bundle()
    return await host.runtime.create(bundle, host.config(bundle, command))


async def started(host: Host, *command: str) -> Container:
    container = await create(host, *command)
    await container.start()
    return container


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_exit_code(host: Host, code: int) -> None:
    """A container's exit code is that of its first process."""
    container = await started(host, "sh", "-c", f"exit {code}")
    ended = await container.wait()
    assert (ended.code, ended.oom_killed, ended.supervisor_lost) == (code, False, False)
    await container.remove()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
async def test_signals_show_in_the_code(host: Host, number: int) -> None:
    """A container that is ended by a signal has the code 128 + signal; signalling it again is no error."""
    container = await started(host, "sleep", "100")
    # A namespace's first process ignores from inside what it does not handle; from outside only SIGKILL is sure.
    container.kill(number)
    container.kill(signal.SIGKILL)
    assert (await container.wait()).code in (128 + number, 137)
    container.kill(number)
    await container.remove()


async def test_a_created_container_does_not_run_yet(host: Host) -> None:
    """Between `create` and `start` nothing happens, and `wait` waits."""
    container = await create(host, "true")
    with anyio.move_on_after(0.05) as limit:
        await container.wait()
    assert limit.cancelled_caught
    await container.start()
    assert (await container.wait()).code == 0
    await container.remove()


async def test_many_may_wait_and_again(host: Host) -> None:
    """Several waiters, those that come late, and those after a cancelled one all get the same end."""
    container = await started(host, "sleep", "0.1")
    with anyio.move_on_after(0.01):
        await container.wait()
    ends = []

    async def wait() -> None:
        ends.append(await container.wait())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(wait)
    assert ends == [await container.wait()] * 3
    await container.remove()
    assert await container.wait() == ends[0]


async def test_a_command_that_is_not_there(host: Host) -> None:
    """It is a failure to start, told with its name, and leaves nothing behind."""
    bundle = host.bundle()
    with pytest.raises(RuntimeFailure, match="nonsense") as raised:
        await host.runtime.create(bundle, host.config(bundle, ["nonsense"]))
    assert raised.value.step == "start"
    assert await host.second_runtime().recover(bundle) is None


async def test_remove_ends_what_runs(host: Host) -> None:
    """A running container is killed; removing can be repeated, and the end stays known."""
    container = await started(host, "sleep", "100")
    await container.remove()
    await container.remove()
    assert (await container.wait()).code == 137


async def test_remove_of_a_created_container(host: Host) -> None:
    """What was never started can be removed, too."""
    container = await create(host, "sleep", "100")
    await container.remove()
    assert (await container.wait()).code == 137


async def test_exec(host: Host) -> None:
    """A command inside gives its exit code and what it said."""
    container = await started(host, "sleep", "100")
    good = await container.exec(["sh", "-c", "echo hello; exit 3"], environment={}, timeout_seconds=20)
    assert (good.code, good.output) == (3, "hello\n")
    missing = await container.exec(["nonsense"], environment={}, timeout_seconds=20)
    assert missing.code not in (0, None)
    assert "nonsense" in missing.output
    await container.remove()


async def test_exec_time_limit(host: Host) -> None:
    """A command that takes too long is ended, has no code, and leaves the container alone."""
    container = await started(host, "sleep", "100")
    before = time.monotonic()
    result = await container.exec(["sleep", "50"], environment={}, timeout_seconds=0.2)
    assert result.code is None
    assert time.monotonic() - before < 10
    assert (await container.exec(["true"], environment={}, timeout_seconds=20)).code == 0
    await container.remove()


async def test_attach_exec(host: Host) -> None:
    """A command that is talked to says what it says and ends with its code; what is not there can't be started."""
    container = await started(host, "sleep", "100")
    session = await container.attach_exec(ExecRequest(command=("sh", "-c", "echo hello; exit 3")))
    with anyio.fail_after(20):
        assert await session.output.read() == b"hello\n"
        assert await session.wait() == 3
    await session.end()
    with pytest.raises(SessionFailure) as raised:
        await container.attach_exec(ExecRequest(command=("nonsense",)))
    assert raised.value.code == 127
    await container.remove()


async def test_no_way_into_what_has_ended(host: Host) -> None:
    """Neither a command nor the files can be had."""
    container = await started(host, "true")
    await container.wait()
    with pytest.raises(SessionFailure):
        await container.attach_exec(ExecRequest(command=("true",)))
    with pytest.raises(SessionFailure):
        container.open_root()
    await container.remove()


async def test_recover_nothing(host: Host) -> None:
    """A bundle in which nothing was ever created gives nothing."""
    bundle = host.bundle()
    assert await host.runtime.recover(bundle) is None


async def test_recover_created(host: Host) -> None:
    """A container that was created but not started is found as such, and can be started then."""
    container = await create(host, "sh", "-c", "exit 5")
    found = await host.second_runtime().recover(container.bundle)
    assert found is not None
    again, stage = found
    assert (stage, again.pid) == ("created", container.pid)
    await again.start()
    assert (await again.wait()).code == 5
    await again.remove()


async def test_recover_running(host: Host) -> None:
    """A running container is found with all that can be done to it."""
    container = await started(host, "sleep", "100")
    found = await host.second_runtime().recover(container.bundle)
    assert found is not None
    again, stage = found
    assert stage == "started"
    assert (await again.exec(["true"], environment={}, timeout_seconds=20)).code == 0
    again.kill(signal.SIGKILL)
    assert (await again.wait()).code == (await container.wait()).code == 137
    await again.remove()


async def test_recover_ended(host: Host) -> None:
    """A container that ended while nobody looked is found with its end; removed or not."""
    container = await started(host, "sh", "-c", "exit 6")
    ended = await container.wait()
    for _ in range(2):
        found = await host.second_runtime().recover(container.bundle)
        assert found is not None
        again, stage = found
        assert stage == "started"
        assert await again.wait() == ended
        await again.remove()


async def test_fifty_at_once(host: Host) -> None:
    """Fifty containers made at once all run and end as they should."""
    codes: list[int] = []

    async def run(code: int) -> None:
        container = await started(host, "sh", "-c", f"exit {code}")
        codes.append((await container.wait()).code)
        await container.remove()

    async with anyio.create_task_group() as group:
        for code in range(50):
            group.start_soon(run, code)
    assert sorted(codes) == list(range(50))


async def test_a_removed_container_can_be_made_again(host: Host) -> None:
    """In the same bundle, with an end of its own; the output goes on behind what the first one wrote."""
    container = await started(host, "sh", "-c", "echo once; exit 4")
    assert (await container.wait()).code == 4
    await container.remove()
    again = await host.runtime.create(
        container.bundle, host.config(container.bundle, ["sh", "-c", "echo again; exit 5"])
    )
    found = await host.second_runtime().recover(container.bundle)
    assert found is not None
    assert found[1] == "created"
    await again.start()
    assert (await again.wait()).code == 5
    if isinstance(host, RealHost):
        assert host.output_text(container.bundle) == "once\nagain"
    await again.remove()


async def test_process_namespace(host: Host) -> None:
    """A container gives its process namespace to others for as long as it lives, and not after."""
    container = await started(host, "sleep", "100")
    path = container.process_namespace()
    if isinstance(host, RealHost):
        assert path.stat().st_ino == Path(f"/proc/{container.pid}/ns/pid").stat().st_ino
    container.kill(signal.SIGKILL)
    await container.wait()
    with pytest.raises(RuntimeFailure, match="ended"):
        container.process_namespace()
    await container.remove()


async def test_a_configuration_is_kept_until_it_is_forgotten(host: Host) -> None:
    """It may hold secrets: only root reads it, it is not in the bundle, and goes when nobody needs it any more."""
    bundle = host.bundle()
    container = await host.runtime.create(bundle, host.config(bundle, ["true"]))
    await container.remove()
    again = await host.runtime.create(bundle, host.config(bundle, ["true"]))
    await again.remove()
    if isinstance(host, RealHost):
        kept = (bundle.directory / "config.json").resolve()
        assert kept.parent == (host.directory / "oci").resolve()
        assert kept.stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        host.runtime.forget(bundle)
    if isinstance(host, RealHost):
        assert not kept.exists()
        assert not (bundle.directory / "config.json").is_symlink()
    else:
        assert isinstance(host, FakeHost)
        assert host.runtime.world.configured == set()
