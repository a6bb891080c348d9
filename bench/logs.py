"""Containers that write lines of a hundred bytes as fast as they can: what is stored of it, and who notices."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.figures import Figure
from bench.processes import cpu_seconds, find_supervisors
from bench.served import IDLES, Served, served
from tidegate.api import ecs, logs

LINES, PASSES = 200_000, 11
LINE_BYTES = 100
TOTAL_MB = LINES * PASSES * LINE_BYTES / 1e6
GOAL_MB_A_SECOND = 50
STALL_LIMIT = 1.5
P99_LIMIT_MS = 100
SCRIPT = (
    f"awk 'BEGIN {{ for (i = 0; i < {LINES}; i++) printf \"%0{LINE_BYTES - 1}d\\n\", i }}' >/tmp/lines; sleep 0.5; "
    f"echo begin; i=0; while [ $i -lt {PASSES} ]; do i=$((i+1)); cat /tmp/lines; done; echo end"
)
GROUP = "/bench"
_DROPPED = re.compile(r'"lines": (\d+), "event": "output dropped')


@dataclass(frozen=True, slots=True)
class Run:
    """One flood. written_seconds: until the container had written all; stored_seconds: until the task had stopped."""

    written_seconds: float
    stored_seconds: float
    server_cpu_seconds: float
    peak_file_mb: float
    describe_ms: list[float]
    task: str


def measure_logs() -> list[Figure]:
    """Blocking, with every line looked at afterwards; non-blocking beside output that nobody keeps."""
    with served() as server:
        server.register("idle", IDLES)
        (idle,) = server.run("idle")
        server.await_status([idle], "RUNNING")
        quiet = [_describe(server, idle) for _ in range(300)]
        blocking = _flood(server, idle, {"mode": "blocking"})
        faults, lines = _look_at(server, blocking.task)
        joined = _flood(server, idle, {"mode": "blocking", "awslogs-multiline-pattern": "^0"})
        dropped = _flood(server, idle, None)
        free = _flood(server, idle, {"mode": "non-blocking"})
        missing = sum(int(found) for found in _DROPPED.findall(server.server.log.read_text()))
        server.stop_all([idle])
    return [
        _throughput(blocking, faults, lines),
        _latency(blocking, quiet),
        _joined(joined),
        _stalls(free, dropped, missing),
    ]


def _flood(server: Served, idle: str, options: dict[str, str] | None) -> Run:
    _register(server, options)
    (task,) = server.run("flood")
    server.await_status([task], "RUNNING")
    log = server.bundle(task) / "log"
    while log.stat().st_size == 0:
        time.sleep(0.001)
    began, cpu = time.perf_counter(), cpu_seconds(server.pid)
    (supervisor,) = find_supervisors(server.bundle(task))
    peak, latencies, written = 0, [], 0.0
    while not written:
        latencies.append(_describe(server, idle))
        try:
            peak = max(peak, log.stat().st_blocks * 512)
            os.kill(supervisor, 0)
        except OSError:
            written = time.perf_counter() - began
        time.sleep(0.002)
    server.await_status([task], "STOPPED")
    stored = time.perf_counter() - began
    return Run(written, stored, cpu_seconds(server.pid) - cpu, peak / 1e6, latencies, task)


def _register(server: Served, options: dict[str, str] | None) -> None:
    awslogs = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "b"}
    log = ecs.LogConfiguration(
        log_driver="awslogs", options={**awslogs, "awslogs-create-group": "true", **(options or {})}
    )
    request = ecs.RegisterTaskDefinitionRequest(
        family="flood",
        network_mode="awsvpc",
        requires_compatibilities=("FARGATE",),
        cpu="2048",
        memory="4096",
        execution_role_arn="arn:aws:iam::000000000000:role/execution",
        container_definitions=(
            ecs.ContainerDefinition(
                name="app",
                image="busybox",
                command=("sh", "-c", SCRIPT),
                log_configuration=None if options is None else log,
            ),
        ),
    )
    server.client.ecs("RegisterTaskDefinition", request, ecs.RegisterTaskDefinitionResponse)


def _describe(server: Served, task: str) -> float:
    began = time.perf_counter()
    server.describe([task])
    return (time.perf_counter() - began) * 1000


def _look_at(server: Served, task: str) -> tuple[int, int]:
    """Lines that are missing, twice, or out of order; and all of them."""
    expected = faults = lines = 0
    for message in _read(server, task):
        if message in ("begin", "end"):
            continue
        number = int(message)
        faults += number != expected
        expected = (number + 1) % LINES
        lines += 1
    return faults, lines


def _read(server: Served, task: str) -> Iterator[str]:
    token = None
    while True:
        request = logs.GetLogEventsRequest(
            log_group_name=GROUP,
            log_stream_name=f"b/app/{task.rpartition('/')[2]}",
            start_from_head=True,
            next_token=token,
        )
        answer = server.client.logs("GetLogEvents", request, logs.GetLogEventsResponse)
        yield from (event.message or "" for event in answer.events or ())
        if answer.next_forward_token == token:
            return
        token = answer.next_forward_token


def _throughput(run: Run, faults: int, lines: int) -> Figure:
    rate = TOTAL_MB / run.stored_seconds
    is_whole = faults == 0 and lines == LINES * PASSES
    return Figure(
        what=f"a container's output stored, {TOTAL_MB:.0f} MB of {LINE_BYTES}-byte lines, blocking",
        measured=f"{rate:.0f} MB/s  ({lines:,} of {LINES * PASSES:,} lines, {faults} out of order; "
        f"{run.server_cpu_seconds / TOTAL_MB * 100:.2f} s of CPU time for 100 MB; its file at most "
        f"{run.peak_file_mb:.0f} MB)",
        goal=f"at least {GOAL_MB_A_SECOND} MB/s, every line",
        holds=rate >= GOAL_MB_A_SECOND and is_whole,
        values={
            "mb_per_second": round(rate, 1),
            "lines": lines,
            "lines_out_of_order": faults,
            "server_cpu_seconds": round(run.server_cpu_seconds, 2),
            "peak_file_mb": round(run.peak_file_mb, 1),
        },
    )


def _latency(run: Run, quiet: list[float]) -> Figure:
    values = {
        "flood_p50_ms": round(statistics.median(run.describe_ms), 2),
        "flood_p99_ms": round(_p99(run.describe_ms), 2),
        "quiet_p50_ms": round(statistics.median(quiet), 2),
        "quiet_p99_ms": round(_p99(quiet), 2),
    }
    return Figure(
        what="DescribeTasks beside that",
        measured=f"p50 {values['flood_p50_ms']} ms, p99 {values['flood_p99_ms']} "
        f"(without it {values['quiet_p50_ms']}, {values['quiet_p99_ms']})",
        goal=f"p99 below {P99_LIMIT_MS} ms",
        holds=values["flood_p99_ms"] < P99_LIMIT_MS,
        values=values,
    )


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def _joined(run: Run) -> Figure:
    rate = TOTAL_MB / run.stored_seconds
    return Figure(
        what="the same with awslogs-multiline-pattern, which each line matches",
        measured=f"{rate:.0f} MB/s",
        values={"mb_per_second": round(rate, 1), "server_cpu_seconds": round(run.server_cpu_seconds, 2)},
    )


def _stalls(free: Run, dropped: Run, missing: int) -> Figure:
    ratio = free.written_seconds / dropped.written_seconds
    return Figure(
        what="non-blocking: how long the container writes, beside output that nobody keeps",
        measured=f"{ratio:.2f}x  ({TOTAL_MB / free.written_seconds:.0f} MB/s; {missing:,} of {LINES * PASSES:,} lines "
        "dropped with a buffer of 10 MiB)",
        goal=f"at most {STALL_LIMIT}x",
        holds=ratio <= STALL_LIMIT,
        values={
            "ratio": round(ratio, 2),
            "written_mb_per_second": round(TOTAL_MB / free.written_seconds, 1),
            "dropped_lines": missing,
            "peak_file_mb": round(free.peak_file_mb, 1),
        },
    )
