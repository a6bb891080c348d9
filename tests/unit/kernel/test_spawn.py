"""Children get what they are given and nothing else; mounts of ours reach them, theirs do not reach us."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tidegate.kernel import pidfd, process, shared_mount, syscalls
from tidegate.kernel.spawn import Child, Spawner

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def run(spawner: Spawner, script: str, keep: tuple[int, ...] = ()) -> tuple[int, str]:
    """A shell script as a child: its exit code and what it said."""
    reading, writing = os.pipe()
    child = spawner.spawn(["/bin/sh", "-c", script], stdout=writing, stderr=writing, keep=keep)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    return child.reap(), text


def test_nothing_is_inherited() -> None:
    """Environment, descriptors and ignored signals of ours are not the child's; what is kept is."""
    spare, kept = os.open("/dev/null", os.O_RDONLY), os.open("/dev/null", os.O_RDONLY)
    os.environ["SECRET"] = "x"
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        code, text = run(Spawner(), "echo ${SECRET-none}; grep SigIgn /proc/self/status; ls /proc/$$/fd", keep=(kept,))
    finally:
        signal.signal(signal.SIGPIPE, before)
        del os.environ["SECRET"]
        os.close(spare)
        os.close(kept)
    lines = text.split()
    assert (code, lines[0]) == (0, "none")
    assert int(lines[2], 16) & ~(0b11 << 31) == 0, "all but the C library's own two have their default"
    assert str(kept) in lines[3:]
    assert str(spare) not in lines[3:]


async def test_codes_and_sessions() -> None:
    """A child leads a session of its own, and ends with its code or 128 + signal."""
    spawner = Spawner()
    assert run(spawner, "exit 3")[0] == 3
    child = spawner.spawn(["/bin/sleep", "100"])
    stat = process.read_stat(child.pid)
    assert stat is not None
    assert stat.session == child.pid
    child.kill()
    assert await child.wait() == 137


def test_a_program_that_is_not_there() -> None:
    """It is told at once."""
    with pytest.raises(OSError, match="No such file"):
        Spawner().spawn(["/no/such/program"])


async def test_pidfds() -> None:
    """A process that is gone is known as such; signalling it is no error."""
    child: Child = Spawner().spawn(["/bin/true"])
    held = os.dup(child.pidfd)
    with anyio.fail_after(10):
        await pidfd.wait_exited(held)
    assert pidfd.has_exited(held)
    pid = child.pid
    child.reap()
    assert pidfd.has_exited(held)
    pidfd.send_signal(held, signal.SIGTERM)
    os.close(held)
    assert process.read_cmdline(pid) == ()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    shared_mount.make_shared(tmp_path)
    yield tmp_path
    shared_mount.unmake_shared(tmp_path)


@pytest.mark.host
def test_mounts_below_a_shared_directory_reach_hidden_children(shared: Path) -> None:
    """What is hidden is hidden from children alone; what is mounted later on a shared directory is seen by them."""
    hidden, later = shared / "hidden", shared / "later"
    hidden.mkdir()
    later.mkdir()
    syscalls.mount("tmpfs", str(hidden), "tmpfs")
    (hidden / "file").touch()
    spawner = Spawner([hidden])
    try:
        assert run(spawner, f"ls {hidden}") == (0, "")
        assert (hidden / "file").exists()
        syscalls.mount("tmpfs", str(later), "tmpfs")
        (later / "file").touch()
        assert run(spawner, f"ls {later}") == (0, "file\n")
        syscalls.umount(str(later))
        assert run(spawner, f"ls {later}") == (0, "")
    finally:
        spawner.close()
        syscalls.umount(str(hidden))


@pytest.mark.host
def test_sharing_is_idempotent(shared: Path) -> None:
    """Made shared twice is one mount; undone twice is no error."""
    shared_mount.make_shared(shared)
    point = os.path.realpath(shared)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    assert mounts.count(point) == 1
    shared_mount.unmake_shared(shared)
    shared_mount.unmake_shared(shared)
    assert point not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.host
@pytest.mark.parametrize("is_hidden", [False, True])
async def test_a_child_starts_where_it_is_told(tmp_path: Path, is_hidden: bool) -> None:
    """Its directory is its own: neither ours nor that of the next child changes."""
    unified = Path("/sys/fs/cgroup/unified")
    spawner = Spawner([unified] if is_hidden and unified.is_dir() else [])
    here = Path.cwd()
    try:
        with (tmp_path / "out").open("wb") as out:
            child = spawner.spawn(["/bin/pwd"], stdout=out.fileno(), directory=tmp_path)
            assert await child.wait() == 0
    finally:
        spawner.close()

    assert (tmp_path / "out").read_text().strip() == str(tmp_path)
    assert Path.cwd() == here
