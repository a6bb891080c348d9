"""The host's disk is looked after: what tasks may write follows what is left of it."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tidegate.kernel.background import running
from tidegate.node.volume.guard import LITTLE_SECONDS, PLENTY_SECONDS, DiskGuard, read_host
from tidegate.node.volume.holding import Host
from tidegate.node.volume.scratch import GIB, MIB, ScratchKind, Space

pytestmark = pytest.mark.anyio

HOST = Host(size_bytes=100 * GIB, free_bytes=60 * GIB, memory_bytes=8 * GIB, reserve_bytes=2 * GIB)


class Disks:
    """Scratch that is nothing but figures, on a host that is a figure as well."""

    def __init__(self, kind: ScratchKind = "loop") -> None:
        self.kind = kind
        self.host = HOST
        self.spaces: dict[str, Space] = {}
        self.held: dict[str, int] = {}
        self.calls = 0
        self.trimmed: list[str] = []
        self.failure: OSError | None = None

    def open(self) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError

    async def ensure(self, task: str, size_bytes: int) -> Path:
        self.spaces[task] = Space(size_bytes, 0, 0)
        return self.path(task)

    def path(self, task: str) -> Path:
        return Path("/scratch", task)

    def tasks(self) -> list[str]:
        return list(self.spaces)

    def space(self, task: str) -> Space | None:
        return self.spaces.get(task)

    def hold_back(self, task: str, size_bytes: int) -> None:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        self.held[task] = size_bytes

    def trim(self, task: str) -> None:
        self.trimmed.append(task)
        space = self.spaces[task]
        self.host = replace(self.host, free_bytes=self.host.free_bytes + space.backed_bytes - space.used_bytes)
        self.spaces[task] = replace(space, backed_bytes=space.used_bytes)

    async def remove(self, task: str) -> None:
        self.spaces.pop(task, None)

    async def keep_only(self, tasks: set[str]) -> None:
        raise NotImplementedError

    def use(self, task: str, used_bytes: int) -> None:
        """The task has written so much, and all of it has reached the disk."""
        more = used_bytes - self.spaces[task].used_bytes
        self.spaces[task] = Space(20 * GIB, used_bytes, used_bytes)
        self.host = replace(self.host, free_bytes=self.host.free_bytes - more)


async def until(condition: Callable[[], bool]) -> None:
    """What a thread does takes real time, while the clock of the test runs on."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await anyio.sleep(1)


@pytest.fixture
async def disks() -> Disks:
    found = Disks()
    for task in ("a", "b"):
        await found.ensure(task, 20 * GIB)
    return found


@pytest.fixture
def guard(disks: Disks) -> DiskGuard:
    return DiskGuard(disks, lambda: disks.host)


async def test_plenty(disks: Disks, guard: DiskGuard) -> None:
    """Images alone are held back, at once, and nothing is done again and again."""
    async with running(guard.run):
        guard.keep("a", GIB)
        guard.keep("b", 0)
        await anyio.sleep(10 * PLENTY_SECONDS)
    assert disks.held == {"a": GIB, "b": 0}
    assert disks.calls == 2
    assert guard.pressure() == ""


async def test_little_and_plenty_again(disks: Disks, guard: DiskGuard) -> None:
    """Tasks share what is left above the reserve, write no more than that, and get all back when there is room."""
    for task in ("a", "b"):
        guard.keep(task, GIB)
    async with running(guard.run):
        disks.host = replace(HOST, free_bytes=6 * GIB)
        await anyio.sleep(2 * PLENTY_SECONDS)
        assert disks.held == {"a": 18 * GIB, "b": 18 * GIB}
        disks.use("a", 2 * GIB)
        await anyio.sleep(2 * LITTLE_SECONDS)
        assert disks.held == {"a": 17 * GIB, "b": 19 * GIB}
        disks.host = HOST
        await anyio.sleep(2 * LITTLE_SECONDS)
        assert disks.held == {"a": GIB, "b": GIB}


async def test_a_task_that_comes_when_there_is_little(disks: Disks, guard: DiskGuard) -> None:
    """It gets its share of what is left from its first moment, whatever was left a moment ago."""
    disks.host = replace(HOST, free_bytes=9 * GIB)
    guard.look()
    disks.host = replace(HOST, free_bytes=5 * GIB)
    await disks.ensure("c", 20 * GIB)
    guard.keep("c", GIB)
    assert disks.held == {"a": 19 * GIB, "b": 19 * GIB, "c": 19 * GIB}


async def test_a_full_host_takes_no_more_tasks(disks: Disks, guard: DiskGuard) -> None:
    """The reason has the figures. Nothing is left to write, and what is in memory still counts."""
    disks.host = replace(HOST, free_bytes=3 * GIB)
    assert guard.pressure() == ""
    disks.spaces["a"] = Space(20 * GIB, 2 * GIB, GIB)
    assert guard.pressure() == "the disk is nearly full: 3.0 GiB are free, 2.0 GiB are kept for the host"
    assert DiskGuard(Disks("unlimited"), lambda: replace(HOST, free_bytes=0)).pressure() == ""


async def test_what_tasks_deleted_is_given_back(disks: Disks, guard: DiskGuard) -> None:
    """When there is little, and not all the time."""
    disks.spaces["a"] = Space(20 * GIB, 0, 10 * GIB)
    disks.spaces["b"] = Space(20 * GIB, 0, 10 * MIB)
    async with running(guard.run):
        await anyio.sleep(5 * PLENTY_SECONDS)
        assert disks.trimmed == []
        disks.host = replace(HOST, free_bytes=0)
        await until(lambda: disks.trimmed == ["a"] and len(disks.held) == 2)
        assert disks.held == {"a": 16 * GIB, "b": 16 * GIB}
        disks.spaces["a"] = Space(20 * GIB, 0, 10 * GIB)
        await until(lambda: disks.trimmed == ["a", "a"])


async def test_what_fits_in_all(disks: Disks, guard: DiskGuard) -> None:
    """All that is free, less the reserve, and what disks have taken already."""
    disks.use("a", 5 * GIB)
    assert guard.size_gib() == 58
    assert DiskGuard(Disks("unlimited"), lambda: HOST).size_gib() is None


async def test_failures_end_nothing(disks: Disks, guard: DiskGuard) -> None:
    """A disk that is just going, and a host on which nothing can be held back."""
    disks.failure = FileNotFoundError()
    guard.keep("a", GIB)
    disks.failure = PermissionError(errno.EACCES, "read-only /sys")
    guard.keep("a", GIB)
    async with running(guard.run):
        disks.host = replace(HOST, free_bytes=0)
        await anyio.sleep(5 * PLENTY_SECONDS)
        disks.failure = None
        await anyio.sleep(2 * LITTLE_SECONDS)
    assert disks.held == {"a": 20 * GIB, "b": 20 * GIB}


def test_the_real_disk(tmp_path: Path) -> None:
    """A twentieth is kept, at most 2 GiB, or what was asked for."""
    found = read_host(tmp_path, None, 0)
    assert 0 < found.free_bytes < found.size_bytes
    assert found.reserve_bytes == min(found.size_bytes // 20, 2 * GIB)
    assert read_host(tmp_path, 5, 0).reserve_bytes == 5
