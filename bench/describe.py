"""DescribeTasks: signed requests a second, answered on one core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import msgspec

from bench.figures import Figure
from bench.processes import cpu_seconds, pin
from bench.served import IDLES, Served, served
from tidegate.api import ecs
from tidegate.cli.target import Target
from tidegate.wire.sigv4 import sign_headers

GOAL_REQUESTS_A_SECOND = 2000
WARM_SECONDS = 1
SECONDS = 5


def measure_describe() -> list[Figure]:
    """The description of one task, again and again; the server has a core of its own if there are two."""
    with served() as server:
        server.register("describe", IDLES)
        tasks = server.run("describe")
        server.await_status(tasks, "RUNNING")
        cores = sorted(os.sched_getaffinity(0))
        pin(server.pid, cores[:1])
        _load(server, tasks[0], cores[-1], WARM_SECONDS)
        before = cpu_seconds(server.pid)
        values = _load(server, tasks[0], cores[-1], SECONDS)
        used = cpu_seconds(server.pid) - before
        pin(server.pid, cores)
        server.stop_all(tasks)
    values["requests_per_cpu_second"] = round(values["requests"] / used, 1)
    rate = values["requests_per_second"]
    measured = (
        f"{rate:,.0f}/s  (p50 {values['p50_ms']:.1f} ms, p99 {values['p99_ms']:.1f}; "
        f"{values['requests_per_cpu_second']:,.0f} a second of CPU time)"
    )
    return [
        Figure(
            what="DescribeTasks, signed, on one core",
            measured=measured,
            goal=f"at least {GOAL_REQUESTS_A_SECOND:,} requests/s",
            holds=rate >= GOAL_REQUESTS_A_SECOND,
            values=values,
        )
    ]


def _load(server: Served, task: str, core: int, seconds: float) -> dict[str, float]:
    port = urlsplit(server.target.endpoint).port
    done = subprocess.run(
        ["taskset", "-c", str(core), sys.executable, "-m", "bench.load", str(port), str(seconds)],
        input=sign_request(server.target, task),
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def sign_request(target: Target, task: str) -> bytes:
    """A DescribeTasks request as it goes over the wire."""
    body = msgspec.json.encode(ecs.DescribeTasksRequest(tasks=(task,)))
    headers = sign_headers(
        method="POST",
        path="/",
        headers={
            "host": urlsplit(target.endpoint).netloc,
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{ecs.TARGET_PREFIX}.DescribeTasks",
        },
        body=body,
        access_key=target.access_key,
        secret_key=target.secret_key,
        region=target.region,
        service="ecs",
    )
    headers["content-length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body
