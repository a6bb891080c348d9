"""Commands in real containers that somebody talks to: pipes, terminals, ends, and what is left of them."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from fixtures.containers import RealHost, missing_for_containers, real_host
from tidegate.kernel import process
from tidegate.model.session import ByteSource, ExecRequest, ExecSession, SessionFailure, TerminalSize
from tidegate.node.runtime.runtime import Container
from tidegate.node.runtime.toolbox import Toolbox, is_static

pytestmark = [pytest.mark.anyio, pytest.mark.host]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["crun", "runc"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RealHost]:
    if missing := missing_for_containers(request.param):
        pytest.skip(missing)
    async with real_host(tmp_path, request.param) as made:
        yield made


async def running(host: RealHost, *, root: Path | None = None, **process_changes: object) -> Container:
    """A container that sleeps, with terminals."""
    bundle = host.bundle()
    config = host.config(bundle, ["sleep", "1000"])
    options = ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    config["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": options})
    config["process"].update(process_changes)
    if root is not None:
        config["root"]["path"] = str(root)
    container = await host.runtime.create(bundle, config)
    await container.start()
    return container


async def drain(source: ByteSource | None) -> bytes:
    data = b""
    while source is not None and (part := await source.read()):
        data += part
    return data


async def read_until(source: ByteSource, wanted: bytes) -> bytes:
    data = b""
    with anyio.fail_after(20):
        while wanted not in data:
            part = await source.read()
            assert part, f"ended before {wanted!r}: {data!r}"
            data += part
    return data


async def ran(container: Container, *command: str, given: bytes = b"", **more: object) -> tuple[int, bytes, bytes]:
    """Run a command to its end: code, output, errors."""
    session = await container.attach_exec(ExecRequest(command=command, **more))  # type: ignore[arg-type]
    found: dict[str, bytes] = {}

    async def take(name: str, source: ByteSource | None) -> None:
        found[name] = await drain(source)

    try:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(take, "output", session.output)
                group.start_soon(take, "errors", session.errors)
                await session.write(given)
                session.end_input()
                code = await session.wait()
    finally:
        await session.end()
    return code, found["output"], found["errors"]


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - another process is awaited
            await anyio.sleep(0.005)


def commands_with(word: str) -> list[int]:
    return [pid for pid in process.list_pids() if word in process.read_cmdline(pid)]


async def test_pipes(host: RealHost) -> None:
    """Input reaches the command with its end; output and errors come apart; the exit code is the command's."""
    container = await running(host)
    script = "cat; echo wrong >&2; exit 5"
    assert await ran(container, "sh", "-c", script, given=b"to and fro\n") == (5, b"to and fro\n", b"wrong\n")
    await container.remove()


async def test_any_bytes_pass(host: RealHost) -> None:
    """Four million random bytes go in and come out as they are, while the command does both at once."""
    container = await running(host)
    sent = os.urandom(4 << 20)
    session = await container.attach_exec(ExecRequest(command=("cat",)))

    async def feed() -> None:
        await session.write(sent)
        session.end_input()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(feed)
            got = await drain(session.output)
    assert got == sent
    assert await session.wait() == 0
    await session.end()
    await container.remove()


async def test_terminal(host: RealHost) -> None:
    """A terminal has the size that it is given, changes it, passes on Ctrl-C, and ends with the command's code."""
    container = await running(host)
    request = ExecRequest(command=("sh",), terminal=TerminalSize(33, 101), environment={"PS1": "> "})
    session = await container.attach_exec(request)
    await read_until(session.output, b"> ")
    await session.write(b"stty size; tty; echo $TERM\r")
    said = await read_until(session.output, b"xterm-256color")
    assert b"33 101" in said
    assert b"/dev/pts/" in said or b"/dev/console" in said
    session.resize(TerminalSize(40, 120))
    await until_size(session, b"40 120")
    await session.write(b"sleep 777\r")
    await until(lambda: commands_with("777"))
    await session.write(b"\x03")
    await until(lambda: not commands_with("777"))
    await session.write(b"exit 9\r")
    with anyio.fail_after(20):
        await drain(session.output)
        assert await session.wait() == 9
    await session.end()
    await container.remove()


async def until_size(session: ExecSession, size: bytes) -> None:
    """A new size may take a moment to get through the runtime."""
    with anyio.fail_after(20):
        while True:
            await session.write(b"echo size $(stty size) .\r")
            said = await read_until(session.output, b" .\r\n")
            if size in said:
                return
            await anyio.sleep(0.02)


async def test_user_directory_and_environment(host: RealHost) -> None:
    """Root unless a user is named, in the container's directory unless another is, with variables on top."""
    container = await running(host, user={"uid": 1000, "gid": 1000}, env=["PATH=/bin", "HOME=/data", "COLOUR=red"])
    script = "id -u; id -g; pwd; echo $HOME $COLOUR $SHAPE"
    code, said, _ = await ran(container, "sh", "-c", script, environment={"SHAPE": "round"})
    assert (code, said) == (0, b"0\n0\n/\n/root red round\n")
    code, said, _ = await ran(container, "sh", "-c", script, user="web", working_directory="/data")
    assert (code, said) == (0, b"1000\n1000\n/data\n/data red\n")
    with pytest.raises(SessionFailure, match="unable to find user nobody"):
        await container.attach_exec(ExecRequest(command=("sh",), user="nobody"))
    await container.remove()


async def test_it_is_in_the_container(host: RealHost) -> None:
    """The command shares every namespace and the control group of the container, and has no more power."""
    held = ["CAP_CHOWN", "CAP_KILL"]
    capabilities = {"bounding": held, "effective": held, "permitted": held}
    container = await running(host, capabilities=capabilities, noNewPrivileges=True)
    session = await container.attach_exec(ExecRequest(command=("sh", "-c", "echo here; read line")))
    await read_until(session.output, b"here\n")
    inside = host.cgroups.pids(container.bundle.cgroup)
    (pid,) = [pid for pid in inside if "echo here; read line" in process.read_cmdline(pid)]
    for kind in ("pid", "ipc", "uts", "mnt", "net"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/{container.pid}/ns/{kind}")
    status, own = (Path(f"/proc/{p}/status").read_text().splitlines() for p in (pid, container.pid))
    for name in ("CapEff", "CapBnd", "NoNewPrivs"):
        assert next(x for x in status if x.startswith(name)) == next(x for x in own if x.startswith(name))
    await session.end()
    await container.remove()


async def test_seccomp_binds(host: RealHost) -> None:
    """What the container's seccomp profile forbids is forbidden to the command as well."""
    bundle = host.bundle()
    config = host.config(bundle, ["sleep", "1000"])
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    container = await host.runtime.create(bundle, config)
    await container.start()
    code, _, errors = await ran(container, "sh", "-c", "busybox mkdir /dev/x")
    assert (code, b"not implemented" in errors) == (1, True)
    await container.remove()


async def test_a_container_without_a_shell_gets_one(host: RealHost, tmp_path: Path) -> None:
    """An image with one program and nothing else still gives `sh` and its tools; nothing is left of them."""
    root = tmp_path / "bare"
    for name in ("proc", "dev"):
        (root / name).mkdir(parents=True)
    (root / "sleep").write_bytes((host.directory / "rootfs/bin/busybox").read_bytes())
    (root / "sleep").chmod(0o755)
    container = await running(host, root=root, args=["/sleep", "1000"], env=["PATH=/"])
    code, said, errors = await ran(container, "sh", "-c", "ls /; head -c 4 /proc/self/exe | od -c | head -1; ls /bin")
    assert said.split()[:3] == [b"dev", b"proc", b"sleep"]
    assert b"/bin" in errors
    assert code != 0
    assert (await ran(container, "/bin/sh", "-c", "exit 4"))[0] == 4
    assert (await ran(container, "ls", "/"))[1] == b"dev\nproc\nsleep\n"
    assert sorted(path.name for path in root.iterdir()) == ["dev", "proc", "sleep"]
    with pytest.raises(SessionFailure, match="bash: not found in the container") as raised:
        await container.attach_exec(ExecRequest(command=("/bin/bash",)))
    assert raised.value.code == 127
    await container.remove()


async def test_what_is_handed_in_can_not_be_changed(host: RealHost, tmp_path: Path) -> None:
    """Root in the container can neither write to the programs handed in nor get out by their directory."""
    root = tmp_path / "bare"
    for name in ("proc", "dev"):
        (root / name).mkdir(parents=True)
    (root / "sleep").write_bytes((host.directory / "rootfs/bin/busybox").read_bytes())
    (root / "sleep").chmod(0o755)
    container = await running(host, root=root, args=["/sleep", "1000"], env=["PATH=/"])
    script = (
        "for way in /proc/self/fd/3/busybox /proc/self/exe; do echo x >> $way; done; rm /proc/self/fd/3/busybox;"
        "touch /proc/self/fd/3/y; ls /proc/self/fd/3/../../../bin; ls /proc/self/fd/3/../../../busybox"
    )
    _, said, errors = await ran(container, "sh", "-c", script)
    assert errors.count(b"Read-only file system") == 4
    assert b"../bin: No such file" in errors
    assert said == b"/proc/self/fd/3/../../../busybox\n"
    await container.remove()


async def test_not_executable(host: RealHost) -> None:
    """What can't be executed is told, with and without a terminal, and is a failure."""
    (host.directory / "rootfs/data/nonsense").write_text("\x7fELF nonsense")
    (host.directory / "rootfs/data/nonsense").chmod(0o755)
    container = await running(host)
    code, _, errors = await ran(container, "/data/nonsense")
    assert code != 0
    assert b"xec format error" in errors
    try:
        code, said, _ = await ran(container, "/data/nonsense", terminal=TerminalSize())
    except SessionFailure as failure:
        code, said = failure.code, str(failure).encode()
    assert code != 0
    assert b"xec format error" in said
    await container.remove()


async def test_whoever_vanishes_ends_the_command(host: RealHost) -> None:
    """`end` hangs up: what heeds SIGHUP ends by itself, what ignores it is killed; nothing is left."""
    container = await running(host)
    polite = await container.attach_exec(
        ExecRequest(command=("sh", "-c", "trap 'sleep 0.1; exit' HUP; sleep 801 & wait"))
    )
    stubborn = await container.attach_exec(ExecRequest(command=("sh", "-c", "trap '' HUP; sleep 802 & sleep 803")))
    seated = await container.attach_exec(ExecRequest(command=("sleep", "804"), terminal=TerminalSize()))
    await until(lambda: all(commands_with(word) for word in ("801", "802", "803", "804")))
    async with anyio.create_task_group() as group:
        for session in (polite, stubborn, seated):
            group.start_soon(session.end)
    assert [commands_with(word) for word in ("801", "802", "803", "804")] == [[], [], [], []]
    assert len(host.cgroups.pids(container.bundle.cgroup)) == 1
    assert not list(container.bundle.directory.glob("exec-*"))
    await container.remove()


async def test_sessions_end_with_the_container(host: RealHost) -> None:
    """When the container ends, so do its commands, and whoever reads them sees their end."""
    container = await running(host)
    piped = await container.attach_exec(ExecRequest(command=("sleep", "900")))
    seated = await container.attach_exec(ExecRequest(command=("sleep", "901"), terminal=TerminalSize()))
    await until(lambda: commands_with("900") and commands_with("901"))
    container.kill(signal.SIGKILL)
    with anyio.fail_after(20):
        await drain(piped.output)
        await drain(seated.output)
        assert {await piped.wait(), await seated.wait()} <= {137, 129, 255, 1}
    await piped.end()
    await seated.end()
    await container.remove()


async def test_commands_of_a_process_that_was_killed_are_ended(host: RealHost) -> None:
    """A later process of ours that finds the container ends what an earlier one had started in it."""
    container = await running(host)
    session = await container.attach_exec(ExecRequest(command=("sh", "-c", "trap '' HUP; sleep 910 & sleep 911")))
    await until(lambda: commands_with("910") and commands_with("911"))
    found = await host.second_runtime().recover(container.bundle)
    assert found is not None
    assert commands_with("910") + commands_with("911") == []
    assert not list(container.bundle.directory.glob("exec-*"))
    await session.end()
    await container.remove()


async def test_hosts_without_busybox(tmp_path: Path) -> None:
    """Without a static busybox it is told what to install; a dynamic program is none."""
    script = tmp_path / "busybox"
    script.write_text("#!/bin/sh\n")
    assert not is_static(script)
    assert not is_static(Path("/bin/ls"))
    assert is_static(Path("/bin/busybox"))
    for found in (None, script):
        toolbox = Toolbox(lambda _, found=found: found)  # type: ignore[misc]
        assert toolbox.find("sh") is None
        assert "busybox-static" in toolbox.why_not
