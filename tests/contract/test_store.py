"""The contract of the store, over each implementation and on both event loops."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import ClassVar, Protocol

import anyio
import pytest
from anyio.lowlevel import checkpoint

from tidegate.model.record import Record
from tidegate.store.memory import MemoryStore
from tidegate.store.sqlite import SqliteStore
from tidegate.store.store import Change, Conflict, Delete, Put, Store, StoreUnavailable

pytestmark = pytest.mark.anyio


class Pet(Record, frozen=True, kw_only=True):
    KIND = "pet"
    INDEXES: ClassVar = {"owner": lambda pet: pet.owner, "old": lambda pet: "yes" if pet.age > 9 else None}

    name: str
    owner: str
    age: int = 0

    @property
    def key(self) -> str:
        return self.name


class Shop(Record, frozen=True, kw_only=True):
    KIND = "shop"

    name: str

    @property
    def key(self) -> str:
        return self.name


class Disk(Protocol):
    """What the tests do to the backend."""

    def hold(self) -> None:
        """Writes take for ever ..."""

    def release(self) -> None:
        """... until now."""

    def fail(self, why: str | None) -> None:
        """Writes fail, until None."""


class SlowConnection:
    """Stands before an SQLite connection; delays or refuses the end of transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._failure: str | None = None
        self._may_run = Event()
        self._may_run.set()
        self.hold = self._may_run.clear
        self.release = self._may_run.set

    def fail(self, why: str | None) -> None:
        self._failure = why

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> object:
        if statement == "COMMIT":
            self._may_run.wait()
            if self._failure is not None:
                raise OSError(self._failure)
        return self._connection.execute(statement, values)


class MemoryDisk:
    """The memory store's own hooks."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.hold = store.hold
        self.release = store.release

    def fail(self, why: str | None) -> None:
        self._store.failure = why


@asynccontextmanager
async def open_memory(directory: Path) -> AsyncIterator[tuple[Store, Disk]]:
    store = MemoryStore(Pet, Shop)
    yield store, MemoryDisk(store)
    await store.close()


@asynccontextmanager
async def open_sqlite(directory: Path) -> AsyncIterator[tuple[Store, Disk]]:
    store = await SqliteStore.open(directory / "store" / "tidegate.db", [Pet, Shop])
    connection = SlowConnection(store._connection)
    store._connection = connection  # type: ignore[assignment]
    try:
        yield store, connection
    finally:
        connection.release()
        await store.close()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[open_memory, open_sqlite], ids=["memory", "sqlite"])
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[tuple[Store, Disk]]:
    async with request.param(tmp_path) as both:
        yield both


@pytest.fixture
def store(opened: tuple[Store, Disk]) -> Store:
    return opened[0]


def found(store: Store, name: str) -> Pet:
    pet = store.get(Pet, name)
    assert pet is not None
    return pet


def names(store: Store, index: str | None = None, value: str | None = None) -> list[str]:
    return [pet.name for pet in store.select(Pet, index, value)]


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not is_so():
            await checkpoint()


async def test_a_commit_is_read_back(store: Store) -> None:
    """What was committed is read by its key, with the revision that commit returned."""
    revision = await store.commit(Put(Pet(name="tom", owner="ann")))
    assert store.get(Pet, "tom") == Pet(name="tom", owner="ann", revision=revision)
    assert store.get(Pet, "tim") is None
    assert store.get(Shop, "tom") is None


async def test_revisions_only_grow(store: Store) -> None:
    """Each commit has a higher revision, and all its records have the same."""
    first = await store.commit(Put(Pet(name="tom", owner="ann")), Put(Shop(name="corner")))
    second = await store.commit(Put(found(store, "tom")))
    assert second > first
    assert found(store, "tom").revision == second
    shop = store.get(Shop, "corner")
    assert shop is not None
    assert shop.revision == first


async def test_a_stale_write_conflicts(store: Store) -> None:
    """A write with a revision other than the stored one is refused; so is making what exists."""
    await store.commit(Put(Pet(name="tom", owner="ann")))
    stale = found(store, "tom")
    await store.commit(Put(Pet(name="tom", owner="bob", revision=stale.revision)))
    for change in (Put(stale), Delete(stale), Put(Pet(name="tom", owner="eve"))):
        with pytest.raises(Conflict, match="cannot write pet tom: it changed since it was read"):
            await store.commit(change)
    assert found(store, "tom").owner == "bob"


async def test_what_is_missing_can_neither_be_changed_nor_removed(store: Store) -> None:
    """A write to a record that is gone conflicts."""
    for change in (Put(Pet(name="tom", owner="ann", revision=3)), Delete(Pet(name="tom", owner="ann", revision=3))):
        with pytest.raises(Conflict):
            await store.commit(change)
    with pytest.raises(Conflict):
        await store.commit(Delete(Pet(name="tom", owner="ann")))


async def test_a_conflict_undoes_the_whole_commit(store: Store) -> None:
    """All changes of a commit are made or none, indexes included."""
    await store.commit(Put(Pet(name="tom", owner="ann")), Put(Pet(name="rex", owner="ann")))
    tom, rex = found(store, "tom"), found(store, "rex")
    with pytest.raises(Conflict):
        await store.commit(
            Put(Pet(name="tom", owner="bob", revision=tom.revision)),
            Put(Pet(name="new", owner="bob")),
            Delete(rex),
            Put(Pet(name="rex", owner="bob", revision=1)),
        )
    assert names(store) == ["tom", "rex"]
    assert names(store, "owner", "ann") == ["tom", "rex"]
    assert names(store, "owner", "bob") == []
    assert (found(store, "tom"), found(store, "rex")) == (tom, rex)


async def test_a_record_can_be_removed_and_made_again(store: Store) -> None:
    """After Delete the key is free, in one commit as in two."""
    await store.commit(Put(Pet(name="tom", owner="ann")), Put(Pet(name="rex", owner="ann")))
    await store.commit(Delete(found(store, "tom")), Put(Pet(name="tom", owner="bob")))
    assert found(store, "tom").owner == "bob"
    assert names(store) == ["rex", "tom"]
    await store.commit(Delete(found(store, "tom")))
    assert names(store) == ["rex"]


async def test_select_is_oldest_first_whatever_changed(store: Store) -> None:
    """Order is by birth, also within an index that a record entered late."""
    for name in "abc":
        await store.commit(Put(Pet(name=name, owner="ann")))
    for name in "ba":
        await store.commit(Put(Pet(name=name, owner="bob", revision=found(store, name).revision)))
    assert names(store) == ["a", "b", "c"]
    assert names(store, "owner", "bob") == ["a", "b"]


async def test_indexes_leave_out_what_gives_none(store: Store) -> None:
    """A record whose index function gives None is not found by that index."""
    await store.commit(Put(Pet(name="tom", owner="ann", age=12)), Put(Pet(name="rex", owner="ann", age=1)))
    assert names(store, "old", "yes") == ["tom"]
    assert names(store, "owner", "nobody") == []
    with pytest.raises(ValueError, match="no such index"):
        store.select(Pet, "colour", "red")


async def test_a_selection_is_a_snapshot(store: Store) -> None:
    """A selection may be kept while the store changes."""
    await store.commit(Put(Pet(name="tom", owner="ann")))
    pets = store.select(Pet)
    by_owner = store.select(Pet, "owner", "ann")
    await store.commit(Delete(found(store, "tom")))
    assert [pet.name for pet in pets] == ["tom"]
    assert [pet.name for pet in by_owner] == ["tom"]


async def test_kinds_that_were_not_announced_are_refused(store: Store) -> None:
    """A store opened for some kinds says so when it is used for another."""

    class Ghost(Record, frozen=True, kw_only=True):
        KIND = "ghost"

    class Impostor(Record, frozen=True, kw_only=True):
        KIND = "pet"

    with pytest.raises(ValueError, match="opened without the kind ghost"):
        store.get(Ghost, "casper")
    with pytest.raises(ValueError, match="the kind pet is another class's"):
        store.select(Impostor)


async def test_a_watch_sees_each_commit_in_order(store: Store) -> None:
    """Each durable commit arrives as one batch, with what was before and after."""
    await store.commit(Put(Pet(name="old", owner="ann")))
    async with store.watch(Pet) as changes:
        await store.commit(Put(Pet(name="tom", owner="ann")), Put(Shop(name="corner")))
        first = found(store, "tom")
        await store.commit(Put(Shop(name="market")))
        await store.commit(Put(Pet(name="tom", owner="bob", revision=first.revision)), Delete(found(store, "old")))
        second = found(store, "tom")
        with anyio.fail_after(5):
            assert await anext(changes) == (Change(None, first),)
            batch = await anext(changes)
    assert batch[0] == Change(first, second)
    assert batch[1].after is None
    assert batch[1].record.key == "old"


async def test_a_watch_of_nothing_in_particular_sees_everything(store: Store) -> None:
    """Without kinds a watch covers all of them."""
    async with store.watch() as changes:
        await store.commit(Put(Pet(name="tom", owner="ann")), Put(Shop(name="corner")))
        with anyio.fail_after(5):
            assert [change.record.key for change in await anext(changes)] == ["tom", "corner"]


async def test_many_commit_at_once(store: Store) -> None:
    """Commits that run side by side all arrive, each once, and watchers see their revisions rise."""
    seen: list[int] = []
    async with store.watch(Pet) as changes, anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(store.commit, Put(Pet(name=f"p{number}", owner="ann")))
        with anyio.fail_after(20):
            while len(seen) < 50:
                seen += [change.record.revision for change in await anext(changes)]
    assert seen == sorted(set(seen))
    assert len(names(store)) == 50


async def test_only_one_of_many_rivals_wins(store: Store) -> None:
    """Of writers that read the same revision one succeeds; the others hear of the conflict."""
    await store.commit(Put(Pet(name="tom", owner="ann")))
    seen = found(store, "tom")
    outcomes: list[str] = []

    async def rename(owner: str) -> None:
        try:
            await store.commit(Put(Pet(name="tom", owner=owner, revision=seen.revision)))
            outcomes.append(owner)
        except Conflict:
            pass

    async with anyio.create_task_group() as group:
        for owner in "abcdef":
            group.start_soon(rename, owner)
    assert outcomes == [found(store, "tom").owner]


async def test_reads_see_what_was_accepted_and_watches_what_is_durable(opened: tuple[Store, Disk]) -> None:
    """While the disk is slow, readers and later commits go on; watchers and callers wait for it."""
    store, disk = opened
    answered: list[int] = []

    async def commit(change: Put) -> None:
        answered.append(await store.commit(change))

    async with store.watch() as changes, anyio.create_task_group() as group:
        disk.hold()
        group.start_soon(commit, Put(Pet(name="tom", owner="ann")))
        await until(lambda: store.get(Pet, "tom") is not None)
        group.start_soon(commit, Put(found(store, "tom")))
        await until(lambda: found(store, "tom").revision == 2)
        with anyio.move_on_after(0.01) as waited:
            await anext(changes)
        assert waited.cancelled_caught
        assert answered == []
        disk.release()
        with anyio.fail_after(5):
            assert [(await anext(changes))[0].record.revision for _ in range(2)] == [1, 2]
    assert sorted(answered) == [1, 2]


async def test_a_commit_of_nothing_waits_for_what_can_be_read(opened: tuple[Store, Disk]) -> None:
    """It returns at once in a store at rest, else when what was accepted before it is durable; it fails with it."""
    store, disk = opened
    revision = await store.commit(Put(Pet(name="tom", owner="ann")))
    assert await store.commit() == revision
    outcomes: list[str] = []

    async def commit(*changes: Put) -> None:
        try:
            outcomes.append(f"revision {await store.commit(*changes)}")
        except StoreUnavailable:
            outcomes.append("failed")

    disk.fail("no space left")
    disk.hold()
    async with anyio.create_task_group() as group:
        group.start_soon(commit, Put(Pet(name="rex", owner="ann")))
        await until(lambda: store.get(Pet, "rex") is not None)
        group.start_soon(commit)
        for _ in range(5):
            await checkpoint()
        assert outcomes == []
        disk.release()
    assert outcomes == ["failed", "failed"]


async def test_a_failing_backend_undoes_everything_that_waits(opened: tuple[Store, Disk]) -> None:
    """Commits that share a failing write all fail, with those that built on them; memory is as before."""
    store, disk = opened
    await store.commit(Put(Pet(name="tom", owner="ann")), Put(Pet(name="rex", owner="ann")))
    tom, rex = found(store, "tom"), found(store, "rex")
    errors: list[str] = []

    async def commit(*changes: Put | Delete) -> None:
        try:
            await store.commit(*changes)
        except StoreUnavailable as error:
            errors.append(str(error))

    async with store.watch() as changes:
        disk.fail("no space left")
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(commit, Put(Pet(name="tom", owner="bob", revision=tom.revision)), Delete(rex))
            await until(lambda: found(store, "tom").owner == "bob")
            group.start_soon(commit, Put(Pet(name="tom", owner="eve", revision=found(store, "tom").revision)))
            group.start_soon(commit, Put(Pet(name="new", owner="eve")))
            await until(lambda: names(store, "owner", "eve") == ["tom", "new"])
            disk.release()
        assert len(errors) == 3
        assert all("no space left" in error for error in errors)
        assert (found(store, "tom"), found(store, "rex")) == (tom, rex)
        assert names(store) == names(store, "owner", "ann") == ["tom", "rex"]
        assert names(store, "owner", "eve") == []
        disk.fail(None)
        revision = await store.commit(Put(Pet(name="new", owner="zoe")))
        with anyio.fail_after(5):
            assert [change.record.key for change in await anext(changes)] == ["new"]
    assert revision > tom.revision + 3, "a revision that was seen and undone must not come back"


async def test_a_cancelled_commit_stays(store: Store) -> None:
    """Being cancelled while it waits for the disk does not undo a commit."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.commit(Put(Pet(name="tom", owner="ann")))
    assert found(store, "tom").owner == "ann"
    async with store.watch(Pet) as changes:
        await store.commit(Put(found(store, "tom")))
        with anyio.fail_after(5):
            while (await anext(changes))[0].before is None:
                pass


async def test_a_closed_store_refuses_and_ends_its_watches(store: Store) -> None:
    """After close commits fail, watches end after what was durable, and close may be repeated."""
    async with store.watch(Pet) as changes:
        await store.commit(Put(Pet(name="tom", owner="ann")))
        await store.close()
        with anyio.fail_after(5):
            assert [len(batch) async for batch in changes] == [1]
    with pytest.raises(StoreUnavailable, match="it is closed"):
        await store.commit(Put(Pet(name="rex", owner="ann")))
    await store.close()
