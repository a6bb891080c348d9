"""The sink that the node writes containers' lines to."""

from __future__ import annotations

import threading
from pathlib import Path

import anyio
import pytest

from tidegate.model.log import Burst, LogGroup, LogStream, LogTargetMissing, stream_key
from tidegate.model.spec import LogTarget
from tidegate.node.output.sink import LogSink
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.merge import Window
from tidegate.store.logs.sink import StreamSink
from tidegate.store.logs.store import DAY_MS, LogStore, expire
from tidegate.store.logs.stream import Batch
from tidegate.store.memory import MemoryStore
from tidegate.store.store import Delete, Put

pytestmark = pytest.mark.anyio
TARGET = LogTarget(group="/ecs/web", stream="web/app/1", create_group=True)
NOW = 1_700_000_000.0


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def events(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "logs")


@pytest.fixture
def sink(store: MemoryStore, events: EventLog) -> LogSink:
    return StreamSink(store, events, lambda: NOW)


def lines(*texts: str) -> list[Burst]:
    return [Burst("stdout", number * 1_000_000, [text.encode()]) for number, text in enumerate(texts)]


def stored(store: MemoryStore, events: EventLog) -> list[str]:
    stream = store.get(LogStream, stream_key(TARGET.group, TARGET.stream))
    assert stream is not None
    return [found.event.message for found in events.read([stream.id], Window(0, 10**15))]


async def test_lines_are_stored_once_with_their_offset(sink: LogSink, store: MemoryStore, events: EventLog) -> None:
    """Opening makes group and stream, and tells how far the source was stored."""
    assert await sink.open(TARGET, "out") == 0
    await sink.append(TARGET, "out", lines("a", "", "b"), 30)
    await sink.append(TARGET, "out", lines("a", "", "b"), 30)
    assert await sink.open(TARGET, "out") == 30
    assert await sink.open(TARGET, "err") == 0
    assert stored(store, events) == ["a", "b"]
    group = store.get(LogGroup, "/ecs/web")
    assert group is not None
    assert group.created_at_ms == NOW * 1000


async def test_a_missing_group_is_made_only_if_the_target_says_so(sink: LogSink, store: MemoryStore) -> None:
    """Without create_group the group must be there; the stream is made in any case."""
    target = LogTarget(group="/ecs/web", stream="s")
    with pytest.raises(LogTargetMissing, match="The specified log group does not exist"):
        await sink.open(target, "out")
    await store.commit(Put(LogGroup(name="/ecs/web", created_at_ms=0)))
    assert await sink.open(target, "out") == 0
    assert store.get(LogStream, stream_key("/ecs/web", "s")) is not None


async def test_a_group_that_is_deleted_is_not_made_again_by_appending(
    sink: LogSink, store: MemoryStore, events: EventLog
) -> None:
    """Who deletes a group under a running task is heard; a deleted stream comes back with the next line."""
    await sink.open(TARGET, "out")
    stream = next(iter(store.select(LogStream)))
    await store.commit(Delete(stream))
    await sink.append(TARGET, "out", lines("later"), 10)
    assert stored(store, events) == ["later"]
    await store.commit(*(Delete(record) for record in [*store.select(LogStream), *store.select(LogGroup)]))
    with pytest.raises(LogTargetMissing):
        await sink.append(TARGET, "out", lines("never"), 20)


async def test_rivals_make_one_stream(sink: LogSink, store: MemoryStore) -> None:
    """Containers that start together share the group that one of them made."""
    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(sink.open, LogTarget(group="g", stream=f"s{number % 2}", create_group=True), "out")
    assert len(list(store.select(LogGroup))) == 1
    assert len(list(store.select(LogStream))) == 2


async def test_a_store_that_cannot_write_is_heard(sink: LogSink, store: MemoryStore) -> None:
    """A stream that could not be made durable is not written to."""
    store.failure = "no space"
    with pytest.raises(OSError, match="no space"):
        await sink.open(TARGET, "out")
    store.failure = None
    assert await sink.open(TARGET, "out") == 0


async def test_an_open_log_store_removes_what_nobody_owns(store: MemoryStore, tmp_path: Path) -> None:
    """Opening clears the rest of deletions; closing leaves indexes for the next opening."""
    async with LogStore.open(tmp_path / "logs", store, lambda: NOW) as logs:
        await logs.sink.open(TARGET, "out")
        await logs.sink.append(TARGET, "out", lines("a"), 1)
    assert len(list((tmp_path / "logs").rglob("*.index"))) == 1
    await store.commit(*(Delete(stream) for stream in store.select(LogStream)))
    async with LogStore.open(tmp_path / "logs", store, lambda: NOW):
        assert list((tmp_path / "logs").rglob("*.log")) == []


async def test_retention_deletes_files_as_time_passes(store: MemoryStore, events: EventLog) -> None:
    """Files go when all in them is older than the group keeps it; groups without a policy keep all."""
    sink = StreamSink(store, events, lambda: NOW)
    kept = LogTarget(group="kept", stream="s", create_group=True)
    for target in (TARGET, kept):
        await sink.open(target, "out")
        await sink.append(target, "out", [Burst("stdout", int(NOW) * 10**9, [b"a"])], 1)
    group = store.get(LogGroup, TARGET.group)
    assert group is not None
    await store.commit(Put(LogGroup(name=group.name, created_at_ms=0, retention_days=3, revision=group.revision)))
    await expire(events, store, int(NOW * 1000) + 3 * DAY_MS)
    assert stored(store, events) == ["a"]
    await expire(events, store, int(NOW * 1000) + 3 * DAY_MS + 1)
    assert stored(store, events) == []
    other = store.get(LogStream, stream_key("kept", "s"))
    assert other is not None
    assert len(list(events.read([other.id], Window(0, 10**15)))) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_slow_disk_holds_up_its_own_lines_alone(
    sink: LogSink, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an append waits for the disk, the event loop goes on: it is the one to end the wait here."""
    append, may_write = events.append, threading.Event()

    def slow(stream: str, batch: Batch) -> None:
        assert may_write.wait(10), "the loop did not get on"
        append(stream, batch)

    monkeypatch.setattr(events, "append", slow)
    await sink.open(TARGET, "out")
    async with anyio.create_task_group() as group:
        group.start_soon(sink.append, TARGET, "out", lines("a"), 10)
        await anyio.lowlevel.checkpoint()
        may_write.set()
    assert await sink.open(TARGET, "out") == 10
