"""
Calls the endpoint from inside tasks' network namespaces: `python -m bench.calling KIND SECONDS`.

The tasks come on stdin, as JSON: [[namespace, path], ...]. KIND: `steady`, each task 38 calls a second on one
connection; `flood`, each as many connections as it can, a call each. Prints the calls answered well and refused, and
milliseconds a call.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.load import answer_length
from tidegate.kernel import syscalls

ENDPOINT = ("169.254.170.2", 80)
STEADY_PER_SECOND = 38
FLOODERS = 8
"""Connections that a hostile task makes at a time."""


def open_inside(namespace: str) -> socket.socket:
    """A socket of that namespace, made on a thread that ends with it."""

    def make() -> socket.socket:
        with Path(namespace).open("rb") as file:
            syscalls.setns(file.fileno(), syscalls.CLONE_NEWNET)
        made = socket.socket()
        made.setblocking(False)
        return made

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


class Count:
    """What all calls came to."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.refused = 0

    async def call(self, connection: socket.socket, path: str) -> None:
        """One call on a connection that is there."""
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        await loop.sock_sendall(connection, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while not (length := answer_length(answer)) or len(answer) < length:
            part = await loop.sock_recv(connection, 1 << 16)
            if not part:
                break
            answer += part
        if answer.startswith(b"HTTP/1.1 200"):
            self.milliseconds.append((time.perf_counter() - began) * 1000)
        else:
            self.refused += 1


async def call_steadily(count: Count, namespace: str, path: str, until: float) -> None:
    """No more than a client may."""
    connection = open_inside(namespace)
    await asyncio.get_running_loop().sock_connect(connection, ENDPOINT)
    while time.monotonic() < until:
        await count.call(connection, path)
        await asyncio.sleep(1 / STEADY_PER_SECOND)
    connection.close()


async def flood(count: Count, namespace: str, path: str, until: float) -> None:
    """As much as there is to be had."""
    loop = asyncio.get_running_loop()

    def enter() -> None:
        with Path(namespace).open("rb") as file:
            syscalls.setns(file.fileno(), syscalls.CLONE_NEWNET)

    with ThreadPoolExecutor(1, initializer=enter) as thread:
        while time.monotonic() < until:
            connection = await loop.run_in_executor(thread, socket.socket)
            connection.setblocking(False)
            try:
                async with asyncio.timeout(0.5):
                    await loop.sock_connect(connection, ENDPOINT)
                    await count.call(connection, path)
            except (TimeoutError, OSError):
                count.refused += 1
            finally:
                connection.close()


async def main(kind: str, seconds: float, tasks: list[list[str]]) -> None:
    """Until the time is up."""
    count, until = Count(), time.monotonic() + seconds
    step, copies = (call_steadily, 1) if kind == "steady" else (flood, FLOODERS)
    await asyncio.gather(*(step(count, *task, until) for task in tasks for _ in range(copies)))
    times = sorted(count.milliseconds)
    result = {
        "answered": len(times),
        "refused": count.refused,
        "p50_ms": round(statistics.median(times), 2) if times else 0.0,
        "p99_ms": round(times[int(len(times) * 0.99)], 2) if times else 0.0,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), json.load(sys.stdin)))
