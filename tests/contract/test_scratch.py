"""What the node may rely on of a task's disk, whichever way it is limited."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from fixtures.scratch import ScratchMaker, fill, find_makers, make_files, nothing_left, until, until_empty
from tidegate.node.volume.scratch import BYTES_A_FILE, MIB, Scratch

pytestmark = [pytest.mark.anyio, pytest.mark.host]

SIZE = 40 * MIB
SLACK = 2 * MIB
"""A disk may be so much larger or smaller than it was asked for."""


@pytest.fixture
def anyio_backend() -> str:
    """Real disks: real time."""
    return "asyncio"


@pytest.fixture(params=find_makers(), ids=lambda maker: maker.name)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Scratch]]:
    """Makes the implementation anew on the same directory, as a restarted server does."""
    maker: ScratchMaker = request.param
    with maker.place(tmp_path) as directory:
        yield lambda: maker.make(directory)
        nothing_left(directory)


@pytest.fixture
async def scratch(make: Callable[[], Scratch]) -> AsyncIterator[Scratch]:
    found = make()
    async with found.open():
        yield found
        await found.keep_only(set())


async def test_a_task_gets_an_empty_directory_of_its_own(scratch: Scratch) -> None:
    """Writable, apart from those of others, with the names that it was asked for."""
    one, two = await scratch.ensure("one", SIZE), await scratch.ensure("two", SIZE)
    (one / "file").write_text("mine")
    assert [name for name in os.listdir(two) if name != "lost+found"] == []
    assert one == scratch.path("one") != two
    assert sorted(scratch.tasks()) == ["one", "two"]


async def test_asking_again_keeps_what_is_there(scratch: Scratch) -> None:
    """Contents and size: after a crash the same is asked for."""
    place = await scratch.ensure("one", SIZE)
    (place / "file").write_text("mine")
    assert await scratch.ensure("one", 2 * SIZE) == place
    assert (place / "file").read_text() == "mine"


async def test_a_disk_that_is_full_is_full_for_its_task_alone(scratch: Scratch) -> None:
    """ENOSPC at its size, to within two MiB; others and the host go on writing."""
    one, two = await scratch.ensure("one", SIZE), await scratch.ensure("two", SIZE)
    if scratch.kind == "unlimited":
        assert fill(one / "file", SIZE + 4 * MIB) == SIZE + 4 * MIB
        return
    written = fill(one / "file", 2 * SIZE)
    assert SIZE - SLACK <= written <= SIZE + SLACK
    assert fill(one / "more", MIB) < MIB
    (two / "file").write_bytes(bytes(4 * MIB))
    (one.parent / ".host").write_bytes(b"x")
    (one.parent / ".host").unlink()
    taken = scratch.space("one")
    assert taken is not None
    assert taken.backed_bytes <= SIZE + 2 * SLACK


async def test_files_without_end(scratch: Scratch) -> None:
    """However small they are, a task has only so many; others and the host have theirs."""
    one, two = await scratch.ensure("one", SIZE), await scratch.ensure("two", SIZE)
    if scratch.kind == "unlimited":
        return
    most = SIZE // BYTES_A_FILE
    assert 0.9 * most < make_files(one, 2 * most) < 1.1 * most
    assert make_files(two, 100) == 100


async def test_what_is_used_is_known(scratch: Scratch) -> None:
    """Before it has reached the disk as well; nothing is known of a task without a disk."""
    place = await scratch.ensure("one", SIZE)
    empty = scratch.space("one")
    assert scratch.space("none") is None
    if scratch.kind == "unlimited":
        assert empty is None
        return
    assert empty is not None
    assert SIZE <= empty.size_bytes <= SIZE + SLACK
    (place / "file").write_bytes(bytes(10 * MIB))
    found = scratch.space("one")
    assert found is not None
    assert 10 * MIB <= found.used_bytes - empty.used_bytes < 11 * MIB
    os.sync()
    found = scratch.space("one")
    assert found is not None
    assert found.backed_bytes >= 10 * MIB


async def test_space_can_be_held_back_and_given_free(scratch: Scratch) -> None:
    """So much less can be written from now on; what has been written stays."""
    place = await scratch.ensure("one", SIZE)
    scratch.hold_back("one", 30 * MIB)
    if scratch.kind == "unlimited":
        return
    first = fill(place / "first", SIZE)
    assert 10 * MIB - SLACK <= first <= 10 * MIB + SLACK
    scratch.hold_back("one", SIZE - MIB)
    assert fill(place / "more", MIB) < MIB
    assert (place / "first").stat().st_size == first
    scratch.hold_back("one", 0)
    assert abs(fill(place / "second", SIZE) - 30 * MIB) <= SLACK


async def test_what_a_task_deletes_is_the_hosts_again(scratch: Scratch) -> None:
    """At once, or when it is trimmed."""
    place = await scratch.ensure("one", SIZE)
    fill(place / "file", 20 * MIB)
    os.sync()
    held = scratch.space("one")
    (place / "file").unlink()
    os.sync()
    scratch.trim("one")

    def is_given_back() -> bool:
        left = scratch.space("one")
        return held is None or left is None or held.backed_bytes - left.backed_bytes >= 19 * MIB

    await until(is_given_back)  # XFS takes its time


async def test_removing_leaves_nothing(scratch: Scratch) -> None:
    """No directory, no room taken; removing again is fine, and the name can be used again."""
    place = await scratch.ensure("one", SIZE)
    (place / "deep/er").mkdir(parents=True)
    (place / "deep/er/file").write_bytes(bytes(MIB))
    for _ in range(2):
        await scratch.remove("one")
        await until_empty(scratch)
    assert not place.exists()
    again = await scratch.ensure("one", SIZE)
    assert [name for name in os.listdir(again) if name != "lost+found"] == []


async def test_a_restart_finds_what_there_is(make: Callable[[], Scratch]) -> None:
    """Tasks keep their disks while nobody has them open; those that no task needs go."""
    first = make()
    async with first.open():
        for task in ("one", "two"):
            (await first.ensure(task, SIZE) / "file").write_text(task)
    second = make()
    async with second.open():
        assert sorted(second.tasks()) == ["one", "two"]
        assert (second.path("one") / "file").read_text() == "one"
        await second.keep_only({"one"})
        assert (await second.ensure("one", SIZE) / "file").read_text() == "one"
        second.hold_back("one", SIZE - 4 * MIB)
        if second.kind != "unlimited":
            assert fill(second.path("one") / "more", SIZE) < 4 * MIB + SLACK
    async with second.open():
        assert second.tasks() == ["one"]
        await second.keep_only(set())
