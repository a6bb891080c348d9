"""kill -9 of a process that writes: what it had been told was stored is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from tidegate.model.record import Record
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.merge import Window
from tidegate.store.sqlite import SqliteStore

pytestmark = [pytest.mark.fault, pytest.mark.anyio]
STREAM = "ab" + "0" * 30

_PRELUDE = """
import sys
from pathlib import Path
import anyio
root = Path(sys.argv[1])
"""

_WRITE_RECORDS = (
    _PRELUDE
    + """
from tidegate.model.record import Record
from tidegate.store.sqlite import SqliteStore
from tidegate.store.store import Put

class Mark(Record, frozen=True, kw_only=True):
    KIND = "mark"
    name: str
    @property
    def key(self): return self.name

async def write(store, writer):
    for number in range(100000):
        await store.commit(Put(Mark(name=f"{writer}-{number}-a")), Put(Mark(name=f"{writer}-{number}-b")))
        print(f"{writer}-{number}", flush=True)

async def main():
    store = await SqliteStore.open(root / "tidegate.db", [Mark])
    async with anyio.create_task_group() as group:
        for writer in range(8):
            group.start_soon(write, store, writer)

anyio.run(main)
"""
)

_WRITE_LINES = (
    _PRELUDE
    + """
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.stream import Batch
log = EventLog(root, segment_bytes=20_000)
stream = "ab" + "0" * 30
done = log.offset(stream, "out")
while True:
    lines = [f"line {number} " + "x" * 100 for number in range(done, done + 7)]
    log.append(stream, Batch(list(range(done, done + 7)), lines, 1, "out", done + 7))
    done += 7
    print(done, flush=True)
"""
)


class Mark(Record, frozen=True, kw_only=True):
    KIND = "mark"
    name: str

    @property
    def key(self) -> str:
        return self.name


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def run_and_kill(program: str, root: Path, lines: int) -> list[str]:
    """What the program had printed when it was killed, after at least so many lines; whole lines only."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE, env=environment)
    assert child.stdout is not None
    try:
        printed = b"".join(child.stdout.readline() for _ in range(lines))
    finally:
        child.send_signal(signal.SIGKILL)
        printed += child.stdout.read()
        child.stdout.close()
        child.wait()
    whole = printed.decode().rpartition("\n")[0].splitlines()
    assert len(whole) >= lines
    return whole


async def test_acknowledged_commits_survive_kill_9(tmp_path: Path) -> None:
    """Every commit that had returned is there, none is there by half, and the store opens without repair."""
    root = tmp_path / "store"
    acknowledged = run_and_kill(_WRITE_RECORDS, root, 200)
    store = await SqliteStore.open(root / "tidegate.db", [Mark])
    names = {mark.name for mark in store.select(Mark)}
    await store.close()
    assert {f"{commit}-{half}" for commit in acknowledged for half in "ab"} <= names
    assert {name[:-1] for name in names if name.endswith("a")} == {name[:-1] for name in names if name.endswith("b")}


async def test_log_lines_survive_kill_9_exactly_once(tmp_path: Path) -> None:
    """Over many kills each line is stored once, in order, up to the offset; none that was acknowledged is missing."""
    root = tmp_path / "logs"
    for turn in range(5):
        acknowledged = int(run_and_kill(_WRITE_LINES, root, 40 + 13 * turn)[-1])
        log = EventLog(root, segment_bytes=20_000)
        offset = log.offset(STREAM, "out")
        assert offset >= acknowledged
        numbers = [found.event.message.split()[1] for found in log.read([STREAM], Window(0, 10**15))]
        assert numbers == [str(number) for number in range(offset)]
        with anyio.fail_after(30):
            await log.close()
