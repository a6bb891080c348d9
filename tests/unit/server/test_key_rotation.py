"""Replacing the master key: from one key to another, wherever it is interrupted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from tidegate.model.account import AccessKey
from tidegate.model.record import Record
from tidegate.model.sealed import sealed_context
from tidegate.server.key_rotation import KeyRotation, RotationRefused
from tidegate.store.keyfile import KeyFile
from tidegate.store.secrets import Sealer, SecretError
from tidegate.store.sqlite import SqliteStore
from tidegate.store.store import Put

pytestmark = pytest.mark.anyio
KEYS = 37


@pytest.fixture
def anyio_backend() -> str:
    """A real store: real time."""
    return "asyncio"


class Foreign(Record, frozen=True, kw_only=True):
    """Of a version to come."""

    KIND = "of-a-newer-version"

    @property
    def key(self) -> str:
        return "one"


class Crash(Exception):
    """Here the process dies."""


class CrashingStore(SqliteStore):
    """Dies at its nth commit, when that is durable."""

    commits_left: int | None = None

    async def commit(self, *changes: Any) -> int:
        revision = await super().commit(*changes)
        if self.commits_left is not None:
            self.commits_left -= 1
            if self.commits_left < 0:
                raise Crash
        return revision


class State:
    """A state directory with access keys in it, opened as a server does."""

    def __init__(self, path: Path) -> None:
        self.file = KeyFile(path / "master.key")
        self.database = path / "store" / "tidegate.db"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[CrashingStore, Sealer, KeyRotation]]:
        store = await CrashingStore.open(self.database, [AccessKey])
        assert isinstance(store, CrashingStore)
        sealer = Sealer(*self.file.ensure())
        try:
            yield store, sealer, KeyRotation(store, sealer, self.file, [AccessKey])
        finally:
            await store.close()

    async def fill(self) -> None:
        async with self.open() as (store, sealer, _):
            await store.commit(*(Put(access_key(number, sealer)) for number in range(KEYS)))


def access_key(number: int, sealer: Sealer) -> AccessKey:
    key = AccessKey(id=f"AKIA{number}", principal="p", sealed_secret=b"", created_at=0)
    sealed = sealer.seal(f"secret {number}".encode(), sealed_context(AccessKey, key.id))
    return msgspec.structs.replace(key, sealed_secret=sealed)


def readable(store: SqliteStore, sealer: Sealer) -> set[str]:
    return {
        sealer.unseal(key.sealed_secret, sealed_context(AccessKey, key.id)).decode() for key in store.select(AccessKey)
    }


ALL = {f"secret {number}" for number in range(KEYS)}


async def until_done(rotation: KeyRotation) -> None:
    with anyio.fail_after(20):
        while rotation.status().old:  # noqa: ASYNC110 - the rotation tells nobody
            await anyio.sleep(0.01)


async def test_a_key_is_replaced(tmp_path: Path) -> None:
    """All is sealed with the new one, and the old one is gone, from memory and from the file."""
    state = State(tmp_path)
    await state.fill()
    (old,) = state.file.ensure()
    async with state.open() as (store, sealer, rotation), anyio.create_task_group() as group:
        group.start_soon(rotation.run)
        before = rotation.status()
        assert (before.old, before.counts.total, before.counts.stale) == ((), KEYS, 0)
        await rotation.begin()
        during = rotation.status()
        assert (during.old, during.counts.stale) == ((before.current,), KEYS)
        assert readable(store, sealer) == ALL
        with pytest.raises(RotationRefused, match="being replaced already"):
            await rotation.begin()
        await until_done(rotation)
        assert rotation.status().counts.stale == 0
        assert readable(store, sealer) == ALL
        group.cancel_scope.cancel()
    (new,) = state.file.ensure()
    assert new != old
    async with state.open() as (store, sealer, _):
        assert readable(store, sealer) == ALL
        with pytest.raises(SecretError):
            readable(store, Sealer(old))


@pytest.mark.parametrize("step", [None, 0, 1, 2, 3, 4])
async def test_a_crash_at_any_step(tmp_path: Path, step: int | None) -> None:
    """Leaves everything readable; the next server ends what was begun. None: right after the key file was written."""
    state = State(tmp_path)
    await state.fill()
    if step is None:
        state.file.add()
    else:
        async with state.open() as (store, _, rotation):
            await rotation.begin()
            store.commits_left = step
            with pytest.raises(Crash):
                await rotation.run()
    assert len(state.file.ensure()) == 2
    (tmp_path / "master.key.0123456789abcdef").write_bytes(bytes(32))
    async with state.open() as (store, sealer, rotation), anyio.create_task_group() as group:
        assert readable(store, sealer) == ALL
        group.start_soon(rotation.run)
        await until_done(rotation)
        assert readable(store, sealer) == ALL
        group.cancel_scope.cancel()
    assert len(state.file.ensure()) == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["master.key"]


async def test_a_text_that_can_not_be_read_keeps_the_old_key(tmp_path: Path) -> None:
    """And is told; nothing is lost that could be read before."""
    state = State(tmp_path)
    await state.fill()
    async with state.open() as (store, _sealer, rotation), anyio.create_task_group() as group:
        await store.commit(Put(access_key(99, Sealer(b"z" * 32))))
        await rotation.begin()
        group.start_soon(rotation.run)
        with anyio.fail_after(20):
            while not rotation.status().problem:  # noqa: ASYNC110 - the rotation tells nobody
                await anyio.sleep(0.01)
        assert "cannot unseal 1 secrets" in rotation.status().problem
        assert (len(rotation.status().old), rotation.status().counts.stale) == (1, 1)
        group.cancel_scope.cancel()
    assert len(state.file.ensure()) == 2


async def test_records_of_a_newer_version(tmp_path: Path) -> None:
    """May hold sealed texts that nobody here knows of: the key is not replaced over them."""
    state = State(tmp_path)
    await state.fill()
    newer = await SqliteStore.open(state.database, [AccessKey, Foreign])
    await newer.commit(Put(Foreign()))
    await newer.close()
    async with state.open() as (_, _, rotation):
        with pytest.raises(RotationRefused, match="of-a-newer-version"):
            await rotation.begin()
    assert len(state.file.ensure()) == 1


async def test_a_key_file_that_can_not_be_written(tmp_path: Path) -> None:
    """Is told, and the old key goes on."""
    state = State(tmp_path)
    await state.fill()
    async with state.open() as (store, sealer, rotation):
        (tmp_path / "master.key").chmod(0o640)
        with pytest.raises(RotationRefused, match=r"cannot write the new master key: .*others may read it"):
            await rotation.begin()
        assert rotation.status().old == ()
        assert readable(store, sealer) == ALL
