"""Five hundred idle tasks: what holding them costs."""

from __future__ import annotations

import time

from bench.figures import Figure
from bench.processes import cpu_seconds, find_supervisors, kernel_kib, proportional_kib
from bench.served import IDLES, Served, served

TASKS = 500
TASKS_A_CALL = 10
SETTLE_SECONDS = 3
WATCH_SECONDS = 10
GOAL_MIB = 3.0
POLL_SECONDS = 0.2


def measure_density(count: int = TASKS) -> list[Figure]:
    """
    Tidegate's own memory per task: the server's growth, the supervisors, and what the kernel keeps for all of it.

    The containers' own processes are not ours; what the kernel keeps for them can't be told apart, and counts.
    """
    with served() as server:
        server.register("density", IDLES)
        server.stop_all(server.run("density"))
        time.sleep(SETTLE_SECONDS)
        before = proportional_kib(server.pid), kernel_kib()
        tasks = [task for _ in range(count // TASKS_A_CALL) for task in server.run("density", TASKS_A_CALL)]
        server.await_status(tasks, "RUNNING", POLL_SECONDS)
        time.sleep(SETTLE_SECONDS)
        values = _weigh(server, before, len(tasks))
        used = cpu_seconds(server.pid)
        time.sleep(WATCH_SECONDS)
        values["idle_cpu_percent"] = round((cpu_seconds(server.pid) - used) / WATCH_SECONDS * 100, 2)
        server.stop_all(tasks)
    return _figures(len(tasks), values)


def _weigh(server: Served, before: tuple[int, int], count: int) -> dict[str, float]:
    supervisors = sum(proportional_kib(pid) for pid in find_supervisors(server.server.state.path))
    parts = {
        "server": proportional_kib(server.pid) - before[0],
        "supervisor": supervisors,
        "kernel": kernel_kib() - before[1],
    }
    values = {f"{name}_mib_per_task": round(kib / 1024 / count, 3) for name, kib in parts.items()}
    return values | {"mib_per_task": round(sum(parts.values()) / 1024 / count, 3)}


def _figures(count: int, values: dict[str, float]) -> list[Figure]:
    memory = values["mib_per_task"]
    measured = (
        f"{memory:.2f} MiB  (server {values['server_mib_per_task']:.2f}, conmon "
        f"{values['supervisor_mib_per_task']:.2f}, kernel {values['kernel_mib_per_task']:.2f})"
    )
    return [
        Figure(
            what=f"Tidegate's own memory per task, {count} idle tasks",
            measured=measured,
            goal=f"at most {GOAL_MIB:g} MB",
            holds=memory * 1.048576 <= GOAL_MIB,
            values=values,
        ),
        Figure(
            what=f"the server's use of a core while {count} tasks idle",
            measured=f"{values['idle_cpu_percent']:.1f} %",
        ),
    ]
