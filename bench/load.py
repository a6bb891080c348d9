"""
Sends one request again and again over some connections, and counts the answers: `python -m bench.load PORT SECONDS`.

The request comes on stdin as it goes over the wire. It is sent as it is, so that signing it costs nothing here: a
signature is good for a quarter of an hour. The answers must all be alike in length.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial
from typing import cast

import uvloop

CONNECTIONS = 16


class Caller(asyncio.Protocol):
    """One connection; the next request goes when the answer to the last is here."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self._request, self._latencies = request, latencies
        self._data = b""
        self._length = 0
        self.is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._length:
            self._length = answer_length(self._data)
        if self._length and len(self._data) >= self._length:
            assert self._data.startswith(b"HTTP/1.1 200"), self._data
            self._latencies.append(time.perf_counter() - self._began)
            self._data, self._length = self._data[self._length :], 0
            if not self.is_over:
                self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)


def answer_length(data: bytes) -> int:
    """Of head and body; 0 until the head is complete."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return 0
    (length,) = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return len(head) + len(end) + length


def _same(caller: Caller) -> Caller:
    return caller


async def load(port: int, request: bytes, seconds: float) -> dict[str, float]:
    """Requests a second, and milliseconds a request."""
    latencies: list[float] = []
    callers = [Caller(request, latencies) for _ in range(CONNECTIONS)]
    loop = asyncio.get_running_loop()
    for caller in callers:
        await loop.create_connection(partial(_same, caller), "127.0.0.1", port)
    began = time.perf_counter()
    latencies.clear()
    await asyncio.sleep(seconds)
    count, took = len(latencies), time.perf_counter() - began
    for caller in callers:
        caller.is_over = True
    await asyncio.sleep(0.2)
    ordered = sorted(latencies[:count])
    return {
        "requests": count,
        "requests_per_second": round(count / took, 1),
        "p50_ms": round(ordered[count // 2] * 1000, 2),
        "p99_ms": round(ordered[count * 99 // 100] * 1000, 2),
    }


if __name__ == "__main__":
    uvloop.install()
    print(json.dumps(asyncio.run(load(int(sys.argv[1]), sys.stdin.buffer.read(), float(sys.argv[2])))))
