"""Any thread may use the log store: what many do at once is as if one had done it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.merge import Window
from tidegate.store.logs.stream import Batch

ALL = Window(0, 10**15)
STREAMS = [f"{number:02d}" + "0" * 30 for number in range(12)]


def test_many_writers_and_readers(tmp_path: Path):
    """More streams than are held open, each written by two threads and read by others: nothing lost, torn or twice."""
    log = EventLog(tmp_path / "logs", segment_bytes=4000, open_files=3, open_streams=4)

    def write(task: tuple[str, str]) -> None:
        stream, source = task
        for number in range(60):
            texts = [f"{source} {number}"] * 3
            log.append(stream, Batch([number] * 3, texts, 0, source, number + 1))
            log.append(stream, Batch([number] * 3, texts, 0, source, number + 1))

    def read(stream: str) -> int:
        seen = -1
        for _ in range(20):
            found = [each.event.number for each in log.read([stream], ALL)]
            assert sorted(found) == list(range(len(found)))
            assert len(found) >= seen
            seen = len(found)
        return seen

    with ThreadPoolExecutor(8) as threads:
        written = threads.map(write, [(stream, source) for stream in STREAMS for source in ("a", "b")])
        looked = threads.map(read, STREAMS)
        assert list(written) == [None] * 24
        assert all(count % 3 == 0 for count in looked)
    for opened in (log, EventLog(tmp_path / "logs", segment_bytes=4000)):
        for stream in STREAMS:
            texts = [found.event.message for found in opened.read([stream], ALL)]
            assert sorted(texts) == sorted([f"{source} {number}" for source in "ab" for number in range(60)] * 3)
            assert opened.offset(stream, "a") == opened.offset(stream, "b") == 60


def test_a_tap_hears_all_threads(tmp_path: Path):
    """What is stored while it is open is offered once, and nothing that was left out as stored before."""
    log = EventLog(tmp_path / "logs")
    with log.tap(10_000) as tap, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: log.append(STREAMS[n % 4], Batch([n], [str(n)], 0, "s", n + 1)), range(400)))
        heard = [message for _, batch in tap.take().batches for message in batch.messages]
        stored = [found.event.message for found in log.read(STREAMS[:4], ALL)]
    assert sorted(heard) == sorted(stored)
    log.append(STREAMS[0], Batch([1], ["late"], 0))
    assert tap.take().batches == []
