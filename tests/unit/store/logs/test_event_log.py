"""The files of the log store: nothing lost, nothing twice, nothing half."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.merge import Position, Window
from tidegate.store.logs.stream import Batch, Summary
from tidegate.store.store import StoreError, StoreUnavailable

STREAM = "ab" + "0" * 30
ALL = Window(0, 10**15)
pytestmark = pytest.mark.anyio


def batch(*times: int, source: str = "", offset: int = 0, text: str = "line {}") -> Batch:
    return Batch(list(times), [text.format(time) for time in times], 5000, source, offset)


def times(log: EventLog, *streams: str, window: Window = ALL, is_backward: bool = False) -> list[int]:
    found = log.read(streams or [STREAM], window, is_backward=is_backward)
    return [one.event.timestamp_ms for one in found]


def files(root: Path, pattern: str = "*.log") -> list[Path]:
    return sorted(root.rglob(pattern))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def log(root: Path) -> EventLog:
    return EventLog(root)


async def test_events_are_read_back_as_they_came(log: EventLog) -> None:
    """Time, text and time of ingestion come back, whatever the text is made of."""
    texts = ["plain", "späß ☃ \U0001f600", "tab\tand\nnewline\x00", "x" * 300_000]
    log.append(STREAM, Batch([1, 2, 3, 4], texts, 77))
    events = [found.event for found in log.read([STREAM], ALL)]
    assert [event.message for event in events] == texts
    assert [(event.timestamp_ms, event.number, event.ingestion_ms) for event in events] == [
        (1, 0, 77),
        (2, 1, 77),
        (3, 2, 77),
        (4, 3, 77),
    ]


async def test_text_that_utf8_cannot_hold_is_replaced(log: EventLog) -> None:
    """A lone surrogate, which JSON can express, does not lose the batch."""
    log.append(STREAM, Batch([1, 2], ["bad \ud800", "good"], 0))
    assert [found.event.message for found in log.read([STREAM], ALL)] == ["bad ?", "good"]


async def test_what_was_appended_is_there_without_a_close(root: Path, log: EventLog) -> None:
    """An append that has returned survives the end of the process, offsets too."""
    log.append(STREAM, batch(1, 2, source="out", offset=40))
    log.append(STREAM, batch(source="out", offset=55))
    again = EventLog(root)
    assert times(again) == [1, 2]
    assert again.offset(STREAM, "out") == 55
    assert again.offset(STREAM, "other") == 0


async def test_a_batch_that_was_stored_is_not_stored_again(log: EventLog) -> None:
    """A source's offset that was reached before leaves the batch out."""
    log.append(STREAM, batch(1, source="out", offset=40))
    log.append(STREAM, batch(1, source="out", offset=40))
    log.append(STREAM, batch(1, source="err", offset=40))
    assert times(log) == [1, 1]


@pytest.mark.parametrize("how", ["cut", "flip", "garbage"])
async def test_a_torn_tail_is_cut(root: Path, log: EventLog, how: str) -> None:
    """What a crash left half-written at the end goes; all before it stays, and writing goes on there."""
    log.append(STREAM, batch(1, source="out", offset=10))
    log.append(STREAM, batch(2, source="out", offset=20))
    (file,) = files(root)
    data = file.read_bytes()
    last = len(data) // 2
    for end in range(last + 1, len(data)) if how == "cut" else [len(data)]:
        if how == "garbage":
            file.write_bytes(data[:last] + os.urandom(200))
        elif how == "flip":
            file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        else:
            file.write_bytes(data[:end])
        again = EventLog(root)
        assert again.offset(STREAM, "out") == 10
        assert times(again) == [1]
        again.append(STREAM, batch(3, source="out", offset=30))
        assert times(EventLog(root)) == [1, 3]


async def test_segments_follow_each_other(root: Path) -> None:
    """Past its size a segment is followed by a new one; reading and offsets do not notice."""
    log = EventLog(root, segment_bytes=500)
    for time in range(100):
        log.append(STREAM, batch(time, source="out", offset=time + 1))
    log.append(STREAM, batch(100, source="late", offset=1))
    assert len(files(root)) > 10
    for opened in (log, EventLog(root, segment_bytes=500)):
        assert times(opened) == list(range(101))
        assert times(opened, is_backward=True) == list(range(100, -1, -1))
        assert opened.offset(STREAM, "out") == 100
        assert opened.offset(STREAM, "late") == 1
        assert [found.event.number for found in opened.read([STREAM], ALL)] == list(range(101))


async def test_a_crash_between_two_segments_forgets_no_source(root: Path) -> None:
    """A new segment that lacks what it should begin with is completed from the one before."""
    log = EventLog(root, segment_bytes=150)
    log.append(STREAM, batch(1, source="a", offset=10))
    log.append(STREAM, batch(2, 3, 4, 5, source="b", offset=20))
    log.append(STREAM, batch(6, text="x" * 300))
    assert len(files(root)) == 2
    files(root)[1].write_bytes(b"")
    again = EventLog(root)
    assert (again.offset(STREAM, "a"), again.offset(STREAM, "b")) == (10, 20)


async def test_a_missing_or_broken_index_is_made_anew(root: Path) -> None:
    """The index beside a segment only saves time: without it, or with a wrong one, all is found."""
    log = EventLog(root, segment_bytes=2000)
    for time in range(200):
        log.append(STREAM, batch(time, source="out", offset=time + 1))
    await log.close()
    indexes = files(root, "*.index")
    assert len(indexes) == len(files(root)) > 3
    indexes[0].unlink()
    indexes[1].write_bytes(b"")
    indexes[2].write_bytes(indexes[2].read_bytes()[:-1] + b"?")
    again = EventLog(root, segment_bytes=2000)
    assert times(again) == list(range(200))
    assert again.offset(STREAM, "out") == 200


async def test_an_index_that_is_behind_is_completed(root: Path, log: EventLog) -> None:
    """What was written after the index was kept is found as well."""
    log.append(STREAM, batch(1))
    await log.close()
    log.append(STREAM, batch(2, source="out", offset=3))
    again = EventLog(root)
    assert times(again) == [1, 2]
    assert again.offset(STREAM, "out") == 3


async def test_an_index_that_is_ahead_is_not_believed(root: Path, log: EventLog) -> None:
    """After a loss of power the index may know of events that the disk never got: only what is there counts."""
    log.append(STREAM, batch(1, source="out", offset=1))
    end = files(root)[0].stat().st_size
    log.append(STREAM, batch(2, source="out", offset=2))
    await log.close()
    os.truncate(files(root)[0], end)
    again = EventLog(root)
    assert times(again) == [1]
    assert again.offset(STREAM, "out") == 1


async def test_a_window_is_half_open(log: EventLog) -> None:
    """start <= timestamp < end, in both directions."""
    log.append(STREAM, batch(1, 2, 2, 3, 4))
    assert times(log, window=Window(2, 4)) == [2, 2, 3]
    assert times(log, window=Window(2, 4), is_backward=True) == [3, 2, 2]
    assert times(log, window=Window(2, 2)) == []


async def test_streams_are_merged_by_time(log: EventLog) -> None:
    """Events of several streams come in one order, which going on from any position keeps."""
    first, second = STREAM, "cd" + "1" * 30
    log.append(first, batch(1, 3, 3, 9))
    log.append(second, batch(2, 3, 8))
    log.append(first, batch(2, 7))
    everything = list(log.read([second, first], ALL))
    assert [found.event.timestamp_ms for found in everything] == [1, 2, 2, 3, 3, 3, 7, 8, 9]
    assert list(log.read([first, second], ALL, is_backward=True)) == everything[::-1]
    for at, found in enumerate(everything):
        window = Window(0, 10**15, found.position)
        assert list(log.read([first, second], window)) == everything[at + 1 :]
        assert list(log.read([first, second], window, is_backward=True)) == everything[:at][::-1]
    gone = Window(0, 10**15, Position(3, "bb" + "0" * 30, 5))
    assert next(log.read([first, second], gone)).stream == second


async def test_reading_opens_no_more_than_it_needs(root: Path, log: EventLog) -> None:
    """The newest event of a long stream is read from one block, not from all."""
    for time in range(2000):
        log.append(STREAM, batch(time, text="x" * 500))
    read: list[int] = []
    segment = log._segments(STREAM)[0]
    real = segment.read
    segment.read = lambda block: (read.append(block.offset), real(block))[1]  # type: ignore[func-returns-value,method-assign]
    assert next(log.read([STREAM], ALL, is_backward=True)).event.timestamp_ms == 1999
    assert len(segment.blocks) > 10
    assert len(read) == 1


async def test_the_summary_is_true(root: Path, log: EventLog) -> None:
    """First and last time, last ingestion and bytes on the disk, before and after reopening."""
    assert log.summary(STREAM) == Summary(None, None, None, 0)
    log.append(STREAM, batch(5, 9))
    log.append(STREAM, batch(3))
    size = files(root)[0].stat().st_size
    assert log.summary(STREAM) == EventLog(root).summary(STREAM) == Summary(3, 9, 5000, size)


async def test_expired_segments_are_deleted(root: Path) -> None:
    """Only segments without anything newer go; the offsets and what is newer stay."""
    log = EventLog(root, segment_bytes=400)
    for time in range(50):
        log.append(STREAM, batch(time, source="out", offset=time + 1))
    count = len(files(root))
    log.expire(STREAM, 30)
    assert len(files(root)) < count
    assert times(log)[-20:] == list(range(30, 50))
    log.expire(STREAM, 1000)
    for opened in (log, EventLog(root, segment_bytes=400)):
        assert times(opened) == []
        assert opened.offset(STREAM, "out") == 50
    log.append(STREAM, batch(60, source="out", offset=51))
    assert times(EventLog(root)) == [60]


async def test_removed_streams_leave_nothing(root: Path, log: EventLog) -> None:
    """Removing takes all files, succeeds without any, and ends a reading that is under way without an error."""
    log.append(STREAM, batch(1))
    reading = log.read([STREAM], ALL)
    log.remove(STREAM)
    log.remove("ff" + "0" * 30)
    assert list(reading) == []
    assert times(log) == []
    assert files(root, "*") == [root / "v1", root / "v1" / "ab"]


async def test_what_no_stream_owns_is_removed(root: Path, log: EventLog) -> None:
    """After a crash in a deletion the next start takes away the rest, and nothing else."""
    other = "cd" + "1" * 30
    log.append(STREAM, batch(1))
    log.append(other, batch(2))
    again = EventLog(root)
    assert again.remove_others([STREAM]) == 1
    assert times(again, STREAM, other) == [1]


async def test_many_streams_hold_few_files_open(root: Path) -> None:
    """However many streams are written to, few descriptors are open, and nothing is lost by putting streams aside."""
    log = EventLog(root, open_files=4, open_streams=8)
    before = len(os.listdir("/proc/self/fd"))
    streams = [f"{number:032x}" for number in range(40)]
    for turn in range(3):
        for stream in streams:
            log.append(stream, batch(turn, source="out", offset=turn + 1))
    assert len(os.listdir("/proc/self/fd")) - before <= 4
    assert all(times(log, stream) == [0, 1, 2] for stream in streams)
    assert all(log.offset(stream, "out") == 3 for stream in streams)
    await log.close()
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_files_are_private(root: Path) -> None:
    """Nobody else may read what containers wrote, also where the directory was there before, nor write there."""
    root.mkdir(mode=0o755)
    log = EventLog(root)
    log.append(STREAM, batch(1))
    assert (root / "v1").stat().st_mode & 0o777 == 0o700
    assert files(root)[0].stat().st_mode & 0o777 == 0o600
    root.chmod(0o777)
    with pytest.raises(StoreError, match="others may write to it"):
        EventLog(root)


async def test_a_failing_write_leaves_nothing_behind(
    root: Path, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that stops half-way raises, is not seen, and the next one takes its place."""
    log.append(STREAM, batch(1, source="out", offset=10))
    real = os.pwrite

    def short(fd: int, data: bytes, offset: int) -> int:
        if offset == size:
            return real(fd, data[:7], offset)
        raise OSError(28, "No space left on device")

    size = files(root)[0].stat().st_size
    monkeypatch.setattr(os, "pwrite", short)
    with pytest.raises(StoreUnavailable, match="No space left on device; make room"):
        log.append(STREAM, batch(2, source="out", offset=20))
    monkeypatch.setattr(os, "pwrite", real)
    assert files(root)[0].stat().st_size == size
    assert times(log) == [1]
    assert log.offset(STREAM, "out") == 10
    log.append(STREAM, batch(3, source="out", offset=20))
    assert times(EventLog(root)) == [1, 3]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = tmp_path / "small"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(mounted)], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.host
async def test_a_full_disk_is_survived(small_disk: Path) -> None:
    """On a full file system appends fail, also those that need a new stream; with room they work again."""
    log = EventLog(small_disk)
    stored = 0
    with suppress(StoreUnavailable):
        while True:
            log.append(STREAM, batch(stored, source="out", offset=stored + 1, text="x" * 9000))
            stored += 1
    with pytest.raises(StoreUnavailable, match="No space left on device; make room"):
        log.append(STREAM, batch(stored, source="out", offset=stored + 1, text="x" * 9000))
    with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 512)
    with pytest.raises(StoreUnavailable):
        log.append("cd" + "1" * 30, batch(1))
    assert times(log) == list(range(stored))
    (small_disk / "filler").unlink()
    log.append("cd" + "1" * 30, batch(1))
    log.remove("cd" + "1" * 30)
    log.append(STREAM, batch(stored, source="out", offset=stored + 1))
    await log.close()
    again = EventLog(small_disk)
    assert times(again) == list(range(stored + 1))
    await again.close()


async def test_sync_has_the_files_and_directories_synced(
    root: Path, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After sync there is nothing that a loss of power could take; a sync that failed is done again."""
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        if len(synced) == 1:
            synced.append("failed")
            raise OSError(5, "Input/output error")
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    log.append(STREAM, batch(1))
    with pytest.raises(OSError):
        await log.sync()
    synced[1:] = ["failed", "again"]
    await log.sync()
    assert {str(path) for path in (files(root)[0], files(root)[0].parent, root / "v1" / "ab")} <= set(synced)
    count = len(synced)
    await log.sync()
    assert len(synced) == count
