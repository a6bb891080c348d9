"""What happens to real containers when things around them break."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from fixtures.containers import RealHost, missing_for_containers, real_host
from tidegate.kernel import process
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.gate import gate_path
from tidegate.node.runtime.probe import find_toolchain
from tidegate.node.runtime.runtime import Bundle, Container, RuntimeFailure
from tidegate.node.runtime.supervise import find_supervisors

pytestmark = [pytest.mark.anyio, pytest.mark.host, pytest.mark.fault]
STUCK = "#!/bin/sh\nexec sleep 1000\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["crun", "runc"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RealHost]:
    if missing := missing_for_containers(request.param):
        pytest.skip(missing)
    async with real_host(tmp_path, request.param) as made:
        yield made


async def started(host: RealHost, *command: str) -> Container:
    bundle = host.bundle()
    container = await host.runtime.create(bundle, host.config(bundle, command))
    await container.start()
    return container


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - another process is awaited
            await anyio.sleep(0.005)


async def test_out_of_memory_is_told(host: RealHost) -> None:
    """A container that the kernel ends for want of memory says so, before and after it is removed."""
    bundle = host.bundle()
    config = host.config(bundle, ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"], memory_bytes=20 << 20)
    container = await host.runtime.create(bundle, config)
    await container.start()
    ended = await container.wait()
    assert (ended.code, ended.oom_killed) == (137, True)
    await container.remove()
    found = await host.second_runtime().recover(bundle)
    assert found is not None
    assert await found[0].wait() == ended


async def test_killed_is_not_out_of_memory(host: RealHost) -> None:
    """SIGKILL alone is no sign of memory."""
    container = await started(host, "sleep", "100")
    container.kill(signal.SIGKILL)
    ended = await container.wait()
    assert (ended.code, ended.oom_killed) == (137, False)
    await container.remove()


async def test_supervisor_killed(host: RealHost) -> None:
    """Without its supervisor a container is ended, and the loss is known from then on."""
    container = await started(host, "sleep", "100")
    for pid in find_supervisors(container.bundle.directory):
        os.kill(pid, signal.SIGKILL)
    ended = await container.wait()
    assert (ended.code, ended.supervisor_lost) == (137, True)
    assert process.read_cmdline(container.pid) == ()
    found = await host.second_runtime().recover(container.bundle)
    assert found is not None
    assert await found[0].wait() == ended
    await container.remove()


async def test_supervisor_killed_while_nobody_looked(host: RealHost) -> None:
    """The same is found out by a process of ours that comes later."""
    container = await started(host, "sleep", "100")
    for pid in find_supervisors(container.bundle.directory):
        os.kill(pid, signal.SIGKILL)
    found = await host.second_runtime().recover(container.bundle)
    assert found is not None
    again, stage = found
    assert stage == "started"
    ended = await again.wait()
    assert (ended.code, ended.supervisor_lost) == (137, True)
    await again.remove()


async def test_an_exec_that_takes_too_long_leaves_nothing(host: RealHost) -> None:
    """With the command goes what it started, even what it left behind on its own."""
    container = await started(host, "sleep", "100")
    script = "(sleep 70 &) ; sleep 71 & sleep 72"
    result = await container.exec(["sh", "-c", script], environment={}, timeout_seconds=0.3)
    assert result.code is None
    running = [process.read_cmdline(pid) for pid in host.cgroups.pids(container.bundle.cgroup)]
    assert [arguments for arguments in running if arguments] == [("sleep", "100")]
    await container.remove()


async def test_exec_output_is_bounded(host: RealHost) -> None:
    """A command that says a lot is read to its end, and the first 4 KiB are kept."""
    container = await started(host, "sleep", "100")
    result = await container.exec(
        ["sh", "-c", "dd if=/dev/zero bs=1k count=2000 2>&1"], environment={}, timeout_seconds=20
    )
    assert result.code == 0
    assert len(result.output) == 4096
    await container.remove()


async def test_exec_environment(host: RealHost) -> None:
    """Variables given for a command win over the container's; the others are its own."""
    container = await started(host, "sleep", "100")
    result = await container.exec(["sh", "-c", "echo $PATH $MORE"], environment={"MORE": "a b"}, timeout_seconds=20)
    assert result.output == "/bin a b\n"
    await container.remove()


async def test_a_background_process_does_not_hold_an_exec(host: RealHost) -> None:
    """A command has ended when its own process has, whoever still holds its output."""
    if host.kind == "runc":
        pytest.skip("runc copies the output itself, and waits for all who hold it; the time limit ends it")
    container = await started(host, "sleep", "100")
    with anyio.fail_after(15):
        result = await container.exec(["sh", "-c", "sleep 60 & echo up"], environment={}, timeout_seconds=20)
    assert (result.code, result.output) == (0, "up\n")
    await container.remove()


async def test_long_paths(host: RealHost) -> None:
    """State directories deeper than a socket's address can be long are no obstacle."""
    bundle = host.bundle("x" * 120)
    container = await host.runtime.create(bundle, host.config(bundle, ["true"]))
    await container.start()
    assert (await container.wait()).code == 0
    await container.remove()


async def test_not_a_program(host: RealHost) -> None:
    """A file that the kernel can't execute ends the container with an error that can be read in its output."""
    program = host.directory / "rootfs/bin/broken"
    program.write_bytes(b"\x7fELFnonsense")
    program.chmod(0o755)
    bundle = host.bundle()
    try:
        container = await host.runtime.create(bundle, host.config(bundle, ["/bin/broken"]))
        await container.start()
    except RuntimeFailure as failure:
        assert failure.step == "start"  # noqa: PT017 - some versions find out before, some after
        return
    ended = await container.wait()
    assert ended.code != 0
    await container.remove()


async def test_a_configuration_that_makes_no_sense(host: RealHost) -> None:
    """The runtime's own words are told, and nothing is left."""
    bundle = host.bundle()
    config = host.config(bundle, ["true"])
    config["root"]["path"] = "/nonexistent/rootfs"
    with pytest.raises(RuntimeFailure, match="rootfs") as raised:
        await host.runtime.create(bundle, config)
    assert raised.value.step == "create"


async def test_cancelled_while_creating(host: RealHost) -> None:
    """A creation that is given up in the middle leaves nothing."""
    for milliseconds in range(1, 25):
        bundle = host.bundle()
        with anyio.move_on_after(milliseconds / 1000) as limit:
            container = await host.runtime.create(bundle, host.config(bundle, ["sleep", "100"]))
            limit.shield = True
            await container.remove()
    assert list(host.cgroups.list(host.parent)) == []


CHILD = """
import sys, anyio
sys.path[:0] = {path!r}
from pathlib import Path
from fixtures.containers import RealHost, tiny_config
from tidegate.node.runtime.cgroup.probe import find_cgroups, read_mounts
from tidegate.node.runtime.conmon import ConmonRuntime
from tidegate.node.runtime.probe import find_toolchain, plan_spawner
from tidegate.node.runtime.runtime import Bundle

async def main():
    directory = Path({directory!r})
    spawner = plan_spawner({kind!r}, read_mounts())
    runtime = ConmonRuntime(find_toolchain({kind!r}), directory / "oci", find_cgroups(), spawner)
    for name in {names!r}:
        bundle = Bundle(name, directory / name, {parent!r} + "/" + name)
        config = tiny_config(bundle, ["sleep", "100"])
        config["root"]["path"] = str(directory / "rootfs")
        container = await runtime.create(bundle, config)
        print(name, flush=True)
        await container.start()
    print("done", flush=True)
    await anyio.sleep_forever()

anyio.run(main)
"""


def another_process(host: RealHost, bundles: list[Bundle]) -> subprocess.Popen[str]:
    """A process of ours that makes and starts these containers one after the other."""
    script = CHILD.format(
        path=[path for path in sys.path if path],
        directory=str(host.directory),
        kind=host.kind,
        names=[bundle.id for bundle in bundles],
        parent=host.parent,
    )
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("lines", [1, 3, 6])
async def test_our_process_is_killed(host: RealHost, lines: int) -> None:
    """After kill -9 at any point each container is found as it is, or was cleaned away whole."""
    bundles = [host.bundle() for _ in range(6)]
    child = another_process(host, bundles)
    assert child.stdout is not None
    for _ in range(lines):
        assert await anyio.to_thread.run_sync(child.stdout.readline)
    child.kill()
    child.wait()
    child.stdout.close()
    stages = []
    for bundle in bundles:
        found = await host.runtime.recover(bundle)
        stages.append(found and found[1])
        if found is None:
            continue
        container, stage = found
        if stage == "created":
            await container.start()
        assert process.read_stat(container.pid) is not None
        container.kill(signal.SIGKILL)
        assert (await container.wait()).code == 137
        await container.remove()
    assert None not in stages[: lines - 1]


async def test_killed_in_the_middle_of_start(host: RealHost) -> None:
    """A crash between opening the container's gate and letting it through leaves a container that can be started."""
    if host.kind == "runc":
        pytest.skip("with runc we never touch the pipe: the container would die of it")
    for _ in range(12):  # unless the container is held still, one in six does not start
        bundle = host.bundle()
        container = await host.runtime.create(bundle, host.config(bundle, ["sleep", "100"]))
        os.close(os.open(gate_path(host.directory / "oci", bundle.id), os.O_WRONLY | os.O_NONBLOCK))
        found = await host.second_runtime().recover(bundle)
        assert found is not None
        again, stage = found
        assert stage == "created"
        await again.start()
        await until(lambda pid=container.pid: process.read_cmdline(pid) == ("sleep", "100"))
        await again.remove()


async def test_a_start_that_outlives_its_caller(host: RealHost) -> None:
    """A runtime's `start` that an earlier process of ours left behind is let finish, and then counts."""
    for _ in range(8):
        bundle = host.bundle()
        container = await host.runtime.create(bundle, host.config(bundle, ["sleep", "100"]))
        tools = find_toolchain(host.kind)
        orphan = host.spawner.spawn([str(tools.runtime), f"--root={host.directory / 'oci'}", "start", bundle.id])
        found = await host.second_runtime().recover(bundle)
        assert found is not None
        again, stage = found
        assert stage == "started"
        assert await orphan.wait() == 0
        await until(lambda pid=container.pid: process.read_cmdline(pid) == ("sleep", "100"))
        await again.remove()


async def test_killed_in_the_middle_of_create(host: RealHost) -> None:
    """A supervisor that still works on a container nobody waits for is ended, with what it has made."""
    # The OCI runtime is replaced by one that never comes back.
    stuck = host.directory / "stuck"
    stuck.write_text(STUCK)
    stuck.chmod(0o755)
    bundle = host.bundle()
    arguments = [
        *("/usr/bin/conmon", "--api-version", "1", "--cid", bundle.id, "--cuuid", bundle.id, "--name", bundle.id),
        *(
            "--runtime",
            str(stuck),
            "--bundle",
            str(bundle.directory),
            "--container-pidfile",
            str(bundle.directory / "pid"),
        ),
        *("--conmon-pidfile", str(bundle.directory / "conmon.pid"), "--full-attach"),
        *("--log-path", f"k8s-file:{bundle.directory / 'log'}"),
    ]
    host.spawner.spawn(arguments).reap()
    await until(lambda: any("sleep" in process.read_cmdline(pid) for pid in _descendants(bundle)))
    assert await host.second_runtime().recover(bundle) is None
    assert list(find_supervisors(bundle.directory)) == []
    assert BundleFiles.of(bundle).read_created() is None


async def test_a_runtime_orphaned_in_the_middle_of_create(host: RealHost) -> None:
    """The runtime is ended even if its supervisor is gone: it would go on to make a control group."""
    stuck = host.directory / "stuck"
    stuck.write_text("#!/bin/sh\nsleep 1000\n")  # keeps its arguments, as a real one does
    stuck.chmod(0o755)
    bundle = host.bundle()
    child = host.spawner.spawn([str(stuck), "create", "--bundle", str(bundle.directory), bundle.id])
    await until(lambda: "create" in process.read_cmdline(child.pid))
    assert await host.second_runtime().recover(bundle) is None
    assert child.reap() == 137


def _descendants(bundle: Bundle) -> list[int]:
    parents = set(find_supervisors(bundle.directory))
    stats = (process.read_stat(pid) for pid in process.list_pids())
    return [stat.pid for stat in stats if stat and stat.parent in parents]


async def test_a_runtime_that_hangs(host: RealHost, tmp_path: Path) -> None:
    """`create` gives up after its time limit and takes everything away."""
    stuck = host.directory / "stuck"
    stuck.write_text(STUCK)
    stuck.chmod(0o755)
    runtime = host.second_runtime(program=stuck, create_timeout_seconds=0.3)
    bundle = host.bundle()
    with pytest.raises(RuntimeFailure, match="not ready"):
        await runtime.create(bundle, host.config(bundle, ["true"]))
    assert list(find_supervisors(bundle.directory)) == []
