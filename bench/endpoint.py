"""The in-task endpoint: what a call of `/task` takes, and what hostile tasks can do to the control plane by it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.figures import Figure
from bench.processes import cpu_seconds
from bench.served import IDLES, Served, served

TASKS = 10
SECONDS = 5.0
GOAL_CALLS_PER_CPU_SECOND = 1000
DESCRIBES = 200
GOAL_CORES = 0.5


def measure_endpoint() -> list[Figure]:
    """Ten tasks that call as often as they may; then the same ten that call as often as they can."""
    with served() as server:
        server.register("caller", IDLES)
        tasks = server.run("caller", TASKS)
        server.await_status(tasks, "RUNNING")
        targets = [_target(server, task) for task in tasks]
        steady = _steady(server, targets)
        hostile = _hostile(server, tasks[0], targets)
        server.stop_all(tasks)
    return [steady, hostile]


def _target(server: Served, task: str) -> list[str]:
    """The task's network namespace, and the path of its metadata."""
    (shown,) = server.describe([task])
    (container,) = shown.containers or ()
    namespace = server.server.state.network / "netns" / task.rpartition("/")[2]
    return [str(namespace), f"/v4/{container.runtime_id}/task"]


def _begin(kind: str, targets: Sequence[Sequence[str]]) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.calling", kind, str(SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(targets))
    child.stdin.close()
    return child


def _end(child: subprocess.Popen[str]) -> dict[str, float]:
    assert child.stdout is not None
    found: dict[str, float] = json.loads(child.stdout.read())
    assert child.wait() == 0
    return found


def _steady(server: Served, targets: Sequence[Sequence[str]]) -> Figure:
    before = cpu_seconds(server.pid)
    values = _end(_begin("steady", targets))
    used = cpu_seconds(server.pid) - before
    rate = values["answered"] / used
    values["calls_per_cpu_second"] = round(rate, 1)
    return Figure(
        what=f"metadata, {TASKS} tasks as often as they may",
        measured=(
            f"{values['answered'] / SECONDS:,.0f}/s, {rate:,.0f} a second of CPU time  "
            f"(p50 {values['p50_ms']:.1f} ms, p99 {values['p99_ms']:.1f})"
        ),
        goal=f"at least {GOAL_CALLS_PER_CPU_SECOND:,} calls a second of CPU time",
        holds=rate >= GOAL_CALLS_PER_CPU_SECOND,
        values=values,
    )


def _hostile(server: Served, task: str, targets: Sequence[Sequence[str]]) -> Figure:
    quiet = _describes(server, task)
    before = cpu_seconds(server.pid)
    child = _begin("flood", targets)
    time.sleep(1)
    flooded = _describes(server, task)
    values = _end(child)
    used = (cpu_seconds(server.pid) - before) / SECONDS
    values |= {
        "describe_quiet_p50_ms": round(statistics.median(quiet) * 1000, 2),
        "describe_flooded_p50_ms": round(statistics.median(flooded) * 1000, 2),
        "server_cores": round(used, 3),
    }
    return Figure(
        what=f"the server while {TASKS} tasks flood the endpoint",
        measured=(
            f"{used:.2f} cores  (DescribeTasks p50 {values['describe_flooded_p50_ms']:.1f} ms; quiet "
            f"{values['describe_quiet_p50_ms']:.1f})"
        ),
        goal=f"at most {GOAL_CORES:g} cores",
        holds=used <= GOAL_CORES,
        values=values,
    )


def _describes(server: Served, task: str) -> list[float]:
    """Seconds of each of some calls of the API, one after the other."""
    found = []
    for _ in range(DESCRIBES):
        began = time.perf_counter()
        server.describe([task])
        found.append(time.perf_counter() - began)
    return found
