"""Containers that write as fast as they can, servers that die under it, and what is left of the lines."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fixtures.server import until
from fixtures.workload import AWSLOGS, REST, Workload, shell
from tidegate.api import logs
from tidegate.cli.client import Client
from tidegate.cli.target import read_target
from tidegate.kernel.process import read_stat
from tidegate.node.output.backlog import HOLD_BYTES

pytestmark = [pytest.mark.fault, pytest.mark.host]

MIB = 1024 * 1024
LINES = 50_000
FLOOD = f"""awk 'BEGIN {{ for (i = 0; i < {LINES}; i++) printf "%099d\\n", i }}' >/tmp/lines; echo begin"""
PASSES = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat /tmp/lines; done; echo end; exit 5"
"""16 times 5 MB."""


def flood(mode: str, script: str = PASSES, **options: str) -> dict[str, Any]:
    log = {**AWSLOGS, "options": {**AWSLOGS["options"], "mode": mode, **options}}
    return shell(f"{FLOOD}; {script}", logConfiguration=log, stopTimeout=2)


def run(work: Workload, container: dict[str, Any]) -> str:
    (task,) = work.run(work.register(container, cpu="1024", memory="2048"))
    return task


def log_file(work: Workload, task: str) -> Path:
    return work.server.state.node / "tasks" / task.rpartition("/")[2] / "c-c0" / "log"


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def used(path: Path) -> int:
    return path.stat().st_blocks * 512 if path.exists() else 0


def written(work: Workload, task: str) -> int:
    """Bytes that the container has written: what its supervisor has read."""
    pid = (log_file(work, task).parent / "conmon.pid").read_text()
    found = Path(f"/proc/{pid.strip()}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in found if line.startswith("rchar:"))


def read(work: Workload, task: str) -> list[str]:
    """All lines, by a client that has time for so many."""
    stream, token, lines = f"t/c0/{task.rpartition('/')[2]}", None, []
    with closing(Client(read_target(work.server.state.path))) as client:
        while True:
            request = logs.GetLogEventsRequest(
                log_group_name="/tests", log_stream_name=stream, next_token=token, start_from_head=True
            )
            answer = client.logs("GetLogEvents", request, logs.GetLogEventsResponse)
            lines += [event.message or "" for event in answer.events or ()]
            if answer.next_forward_token == token:
                return lines
            token = answer.next_forward_token


def test_a_blocking_flood_is_stored_whole_whoever_dies(work: Workload):
    """The server is killed twice under it: every line is there, once and in order, and the exit code is the task's."""
    task = run(work, flood("blocking"))
    for at in (5 * MIB, 40 * MIB):
        until(lambda at=at: size(log_file(work, task)) > at, "the flood has come so far")
        work.server.kill()
        work.server.start()
    ended = work.wait_one(task, "STOPPED", seconds=120)

    assert ended["containers"][0]["exitCode"] == 5
    lines = read(work, task)
    assert (lines[0], lines[-1]) == ("begin", "end")
    numbers = [int(line) for line in lines[1:-1]]
    assert numbers == [*range(LINES)] * 16


def test_a_flood_that_nobody_reads_does_not_fill_the_disk(work: Workload):
    """The server is down: the container writes on unhindered, its file stays small, and that lines are lost is told."""
    script = f"i=0; while [ $i -lt 60 ]; do i=$((i+1)); cat /tmp/lines; done; {REST}"
    task = run(work, flood("non-blocking", script, **{"max-buffer-size": "1m"}))
    until(lambda: size(log_file(work, task)) > MIB, "it writes")
    work.server.kill()
    until(lambda: written(work, task) > 60 * 5_000_000, "it is not stalled")
    assert used(log_file(work, task)) < 80 * MIB
    work.server.start()
    until(lambda: "its file met its limit" in work.server.log.read_text(), "the loss is told")
    work.stop([task])
    assert work.wait_one(task, "STOPPED")["stopCode"] == "UserInitiated"
    lines = read(work, task)
    assert len(lines) > 100_000
    assert all(len(line) <= 99 and "stdout" not in line for line in lines), "no line is glued to another"


def test_a_flood_does_not_hold_up_the_neighbours(work: Workload):
    """While a container floods its log, requests are answered at once, and other containers' lines arrive."""
    task = run(work, flood("non-blocking", "while true; do cat /tmp/lines; done"))
    neighbour = run(work, shell("while true; do date +%s.%N; sleep 0.1; done", stopTimeout=2))
    work.wait([task, neighbour], "RUNNING")
    until(lambda: work.output(neighbour), "the neighbour is heard")
    slowest = 0.0
    for _ in range(100):
        began = time.perf_counter()
        work.describe([task])
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 1.0
    heard = len(work.output(neighbour))
    until(lambda: len(work.output(neighbour)) > heard, "the neighbour is heard still", 5)
    assert used(log_file(work, task)) < 100 * MIB
    work.stop_all()


def test_a_held_container_obeys(work: Workload):
    """Held up, because the log store is broken: it can be killed, and the task ends when the store has its lines."""
    task = run(work, flood("blocking", "while true; do cat /tmp/lines; done"))
    work.wait_one(task, "RUNNING")
    segments = work.server.state.logs / "v1"
    (stream,) = until(lambda: list(segments.glob("??/*")), "lines are stored")
    shutil.rmtree(stream)
    stream.touch()  # no further segment can be made

    supervisor = int((log_file(work, task).parent / "conmon.pid").read_text())
    until(lambda: is_stopped(supervisor), "it is held")
    assert HOLD_BYTES < used(log_file(work, task)) < 2 * HOLD_BYTES
    work.stop([task])
    until(lambda: not is_stopped(supervisor), "its supervisor goes on")
    until(lambda: read_stat(supervisor) is None, "it is gone")
    assert work.describe([task])[task]["lastStatus"] != "STOPPED"
    stream.unlink()
    assert work.wait_one(task, "STOPPED")["containers"][0]["exitCode"] == 137


def is_stopped(pid: int) -> bool:
    found = read_stat(pid)
    return found is not None and found.state == "T"
