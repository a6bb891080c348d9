"""What only the SQLite backend promises: files, ownership, reopening, versions."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from tidegate.model.record import Record
from tidegate.store import schema
from tidegate.store.ownership import StoreInUse
from tidegate.store.schema import SCHEMA, SchemaTooNew
from tidegate.store.sqlite import SqliteStore, read_record
from tidegate.store.store import Delete, Put, StoreError, StoreUnavailable

pytestmark = pytest.mark.anyio


class Note(Record, frozen=True, kw_only=True):
    KIND = "note"
    INDEXES: ClassVar = {"tag": lambda note: note.tag}

    name: str
    tag: str = "none"
    body: bytes = b""

    @property
    def key(self) -> str:
        return self.name


class Other(Record, frozen=True, kw_only=True):
    KIND = "other"

    name: str

    @property
    def key(self) -> str:
        return self.name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "tidegate.db"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def fill(path: Path) -> None:
    """Take what room the file system has."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65536))


async def test_records_are_there_after_reopening(path: Path) -> None:
    """Contents, revisions, order and indexes come back; revisions go on from the highest ever given."""
    store = await SqliteStore.open(path, [Note])
    for name in ("b", "a", "c"):
        await store.commit(Put(Note(name=name, tag="x", body=b"\x00\xff")))
    await store.commit(Put(Note(name="b", tag="y", revision=1)))
    last = await store.commit(Delete(Note(name="c", revision=3)))
    before = list(store.select(Note))
    await store.close()
    store = await SqliteStore.open(path, [Note])
    assert list(store.select(Note)) == before
    assert [note.name for note in before] == ["b", "a"]
    assert [note.name for note in store.select(Note, "tag", "x")] == ["a"]
    assert await store.commit(Put(Note(name="d"))) == last + 1
    await store.close()


async def test_files_are_private(path: Path) -> None:
    """The directory is 0700 and every file in it 0600, the write-ahead log too, whatever the umask."""
    mask = os.umask(0)
    try:
        store = await SqliteStore.open(path, [Note])
        await store.commit(Put(Note(name="a")))
        assert path.parent.stat().st_mode & 0o777 == 0o700
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert set(modes) == {"tidegate.db", "tidegate.db-wal", "tidegate.db-shm", "tidegate.db.lock"}
        assert set(modes.values()) == {0o600}
        await store.close()
    finally:
        os.umask(mask)


async def test_a_directory_that_others_may_write_to_is_refused(path: Path) -> None:
    """Nobody else may be able to put a file in the store's place."""
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(StoreError, match="others may write to it"):
        await SqliteStore.open(path, [Note])


async def test_a_second_owner_is_refused(path: Path) -> None:
    """One process owns a store; the error names it. When it lets go, the next may."""
    store = await SqliteStore.open(path, [Note])
    with pytest.raises(StoreInUse, match=f"process {os.getpid()} uses it"):
        await SqliteStore.open(path, [Note])
    await store.close()
    await (await SqliteStore.open(path, [Note])).close()


async def test_another_process_reads_records_while_the_owner_runs(path: Path) -> None:
    """`read_record` sees what was committed, from another process, before and after the owner is gone."""
    store = await SqliteStore.open(path, [Note])
    await store.commit(Put(Note(name="a", tag="x")))
    program = (
        "import sys, pathlib; from tidegate.store.sqlite import read_record;"
        "from tests_note import Note; print(read_record(pathlib.Path(sys.argv[1]), Note, 'a').tag)"
    )
    module = "from tidegate.model.record import Record\nclass Note(Record, frozen=True, kw_only=True):\n"
    module += "    KIND = 'note'\n    name: str\n    tag: str = 'none'\n"
    (path.parent / "tests_note.py").write_text(module)
    command = [sys.executable, "-c", program, str(path)]
    environment = os.environ | {"PYTHONPATH": f"{path.parent}{os.pathsep}{os.pathsep.join(sys.path)}"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("x\n", "")
    await store.close()
    assert read_record(path, Note, "a") == Note(name="a", tag="x", revision=1)
    assert read_record(path, Note, "z") is None


def test_reading_where_no_store_is_says_so(path: Path) -> None:
    """The message of `read_record` tells what is missing; nothing is made."""
    with pytest.raises(StoreError, match="there is no such file"):
        read_record(path, Note, "a")
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(StoreError, match="cannot read the store"):
        read_record(path, Note, "a")


async def test_what_is_no_store_is_refused(path: Path) -> None:
    """A file of something else is neither opened nor changed."""
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="cannot open the store"):
        await SqliteStore.open(path, [Note])
    assert path.read_bytes() == before


async def test_unknown_kinds_are_kept(path: Path) -> None:
    """A store opened without a kind leaves that kind's records as they are."""
    store = await SqliteStore.open(path, [Note, Other])
    await store.commit(Put(Note(name="a")), Put(Other(name="o")))
    await store.close()
    store = await SqliteStore.open(path, [Note])
    await store.commit(Put(Note(name="o")))
    await store.close()
    store = await SqliteStore.open(path, [Other])
    assert store.get(Other, "o") == Other(name="o", revision=1)
    await store.close()


async def test_a_newer_schema_is_refused(path: Path) -> None:
    """A store written by a newer version is not touched, and the message says what to do."""
    await (await SqliteStore.open(path, [Note])).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    connection.close()
    with pytest.raises(SchemaTooNew, match=f"version {SCHEMA + 1}, and this Tidegate knows versions up to {SCHEMA}"):
        await SqliteStore.open(path, [Note])
    with pytest.raises(SchemaTooNew):
        read_record(path, Note, "a")


async def test_migrations_run_once_and_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old store is brought forward step by step; a step that fails leaves the store at the one before."""
    store = await SqliteStore.open(path, [Note])
    await store.commit(Put(Note(name="a")))
    await store.close()
    second = ("UPDATE record SET value = json_set(CAST(value AS TEXT), '$.tag', 'moved')",)
    broken = ("DELETE FROM record", "no such statement")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second, broken))
    monkeypatch.setattr(schema, "SCHEMA", SCHEMA + 2)
    with pytest.raises(StoreError, match="cannot open the store"):
        await SqliteStore.open(path, [Note])
    monkeypatch.setattr(schema, "SCHEMA", SCHEMA + 1)
    store = await SqliteStore.open(path, [Note])
    note = store.get(Note, "a")
    assert note is not None
    assert note.tag == "moved"
    await store.close()


async def test_an_unreadable_record_is_named(path: Path) -> None:
    """A record that does not fit its class stops the opening, with its kind and key."""
    await (await SqliteStore.open(path, [Note])).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO record (kind, key, revision, schema, value) VALUES ('note', 'bad', 1, 1, '{}')")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="cannot read note bad from the store"):
        await SqliteStore.open(path, [Note])


async def test_a_record_that_cannot_be_written_changes_nothing(path: Path) -> None:
    """An error in encoding goes to the caller, and the commit is undone."""
    store = await SqliteStore.open(path, [Note])
    with pytest.raises(TypeError):
        await store.commit(Put(Note(name="a")), Put(Note(name="b", body=object())))  # type: ignore[arg-type]
    assert list(store.select(Note)) == []
    await store.commit(Put(Note(name="a")))
    await store.close()


@pytest.mark.host
async def test_a_full_disk_fails_commits_until_there_is_room(tmp_path: Path) -> None:
    """On a full file system commits fail and nothing is lost; with room they work again."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(mounted)], check=True)
    try:
        store = await SqliteStore.open(mounted / "tidegate.db", [Note])
        await store.commit(Put(Note(name="first")))
        filler = mounted / "filler"
        fill(filler)
        with pytest.raises(StoreUnavailable, match="full"):
            await store.commit(Put(Note(name="big", body=bytes(500_000))))
        assert [note.name for note in store.select(Note)] == ["first"]
        filler.unlink()
        await store.commit(Put(Note(name="big", body=bytes(200_000))))
        await store.close()
        store = await SqliteStore.open(mounted / "tidegate.db", [Note])
        assert [note.name for note in store.select(Note)] == ["first", "big"]
        await store.close()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
