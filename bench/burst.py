"""Two hundred tasks at once: how many start a second."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bench.figures import Figure
from bench.served import OBEYS, Served, served
from tidegate.cli.client import Client

CALLERS = 20
TASKS_A_CALL = 10
GOAL_TASKS_A_SECOND = 30
POLL_SECONDS = 0.05


def measure_burst() -> list[Figure]:
    """RunTask of ten tasks from twenty clients at the same time, until the last is RUNNING."""
    with served() as server:
        server.register("burst", OBEYS)
        server.stop_all(server.run("burst"))
        began = time.perf_counter()
        tasks = _run(server)
        accepted = time.perf_counter() - began
        server.await_status(tasks, "RUNNING", POLL_SECONDS)
        took = time.perf_counter() - began
        server.stop_all(tasks)
        stopped = time.perf_counter() - began - took
    rate = len(tasks) / took
    return [
        Figure(
            what=f"{len(tasks)} tasks at once, until all are RUNNING",
            measured=f"{rate:.1f} tasks/s  ({took:.2f} s)",
            goal=f"at least {GOAL_TASKS_A_SECOND} tasks/s",
            holds=rate >= GOAL_TASKS_A_SECOND,
            values={
                "tasks_per_second": round(rate, 1),
                "accepted_seconds": round(accepted, 3),
                "running_seconds": round(took, 3),
                "stopped_seconds": round(stopped, 3),
            },
        )
    ]


def _run(server: Served) -> list[str]:
    def call(_: int) -> list[str]:
        return server.run("burst", TASKS_A_CALL, Client(server.target))

    with ThreadPoolExecutor(CALLERS) as callers:
        return [task for tasks in callers.map(call, range(CALLERS)) for task in tasks]
