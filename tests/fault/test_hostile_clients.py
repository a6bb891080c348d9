"""Ten thousand requests that no honest client sends, to a real server; and clients that take every place."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from fixtures.hostile import Attack, Key, attacks, good, signed, write
from fixtures.server import ServerProcess, until
from fixtures.workload import Workload

pytestmark = [pytest.mark.fault, pytest.mark.host]
REQUESTS = 10_000
AT_ONCE = 24
SEED = 27
MOST_GROWTH_KIB = 48 * 1024
ANSWER_SECONDS = 2
"""Who has not sent a whole request by then is not waited for: the server's deadline will end it."""
ANSWER_LIMIT_SECONDS = 20
LONGEST_FOR_A_GOOD_CLIENT_SECONDS = 5
SILENT = {0}
"""No word may come where the connection is cut while the request is still being sent, or is never whole."""
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def key_of(server: ServerProcess) -> Key:
    identity = server.state.read_identity()
    host = identity.endpoint.removeprefix("http://")
    return Key(identity.access_key, identity.secret_key, identity.region, host)


class Neighbour:
    """A good client beside the bad ones: one call after the other, each timed."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self.seconds: list[float] = []

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began = time.perf_counter()
            answer = await ask(self._key, write(signed(self._key, good()), good().body), ANSWER_LIMIT_SECONDS)
            self.seconds.append(time.perf_counter() - began)
            assert status_of(answer) == 200, answer
            await asyncio.sleep(0.02)


async def ask(key: Key, data: bytes, seconds: float = ANSWER_SECONDS) -> bytes:
    """What comes back: until the first answer is whole, the server closes, or time is up."""
    host, _, port = key.host.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                with suppress(ConnectionError):
                    writer.write(data)
                    await writer.drain()
                with suppress(ConnectionError):
                    while not is_whole(answer) and (part := await reader.read(65_536)):
                        answer += part
    finally:
        writer.transport.abort()
    return answer


def is_whole(answer: bytes) -> bool:
    head, blank, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(blank) and length is not None and len(body) >= int(length[1])


def status_of(answer: bytes) -> int:
    found = _STATUS.match(answer)
    return int(found[1]) if found else 0


def shape_of(answer: bytes) -> str:
    """What the body is written in: a refusal is told in the protocol's words."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"application/x-amz-json-1.1" in head:
        assert json.loads(body).get("__type") or status_of(answer) == 200
        return "json"
    if b"text/xml" in head:
        assert b"<Code>" in body
        return "xml"
    return "text"


@pytest.fixture
def server(work: Workload) -> ServerProcess:
    return work.server


def resident_kib(server: ServerProcess) -> int:
    assert server.process is not None
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1])  # type: ignore[index]


def descriptors(server: ServerProcess) -> int:
    assert server.process is not None
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


async def send_all(key: Key, many: Iterator[Attack]) -> Counter[str]:
    """AT_ONCE of them at a time; counts of what came back."""
    told: Counter[str] = Counter()

    async def work() -> None:
        for attack in many:
            answer = await ask(key, attack.data)
            status = status_of(answer)
            allowed = attack.statuses | (SILENT if attack.name in ("broken HTTP", "too much") else set())
            assert status in allowed, f"{attack.name}: {attack.data[:3000]!r} was answered with {answer[:1000]!r}"
            told[str(status)] += 1
            told[shape_of(answer) if answer else "closed"] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return told


async def beside_a_neighbour(key: Key, many: Iterator[Attack]) -> tuple[Counter[str], Neighbour]:
    neighbour, stop = Neighbour(key), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(neighbour.run(stop))
        told = await send_all(key, many)
        stop.set()
    return told, neighbour


def test_ten_thousand_bad_requests(server: ServerProcess, record_property: pytest.RecordProperty) -> None:
    """
    Broken, mis-signed, replayed, far too large: each is refused with a 4xx or closed, none with a fault.

    Refusals are in the protocol's form wherever the request was HTTP. The server's memory and descriptors are what
    they were, and a good client is answered all the while.
    """
    key = key_of(server)
    asyncio.run(send_all(key, islice(attacks(key, SEED + 1), 1000)))
    memory, files = resident_kib(server), descriptors(server)
    told, neighbour = asyncio.run(beside_a_neighbour(key, islice(attacks(key, SEED), REQUESTS)))
    record_property("told", dict(told))
    assert told["json"] + told["xml"] > REQUESTS // 2
    assert max(neighbour.seconds) < LONGEST_FOR_A_GOOD_CLIENT_SECONDS
    assert resident_kib(server) - memory < MOST_GROWTH_KIB
    until(lambda: descriptors(server) <= files + 2, "the connections are closed", 20)
    print(dict(told), f"neighbour: {len(neighbour.seconds)} calls, median {statistics.median(neighbour.seconds):.4f} s")


def test_clients_that_take_every_place_and_say_nothing(server: ServerProcess) -> None:
    """Two thousand connections with half a request each: a good client is let in at once, again and again."""
    key = key_of(server)

    async def play() -> list[float]:
        host, _, port = key.host.rpartition(":")
        writers = []
        for number in range(2000):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\n" if number % 2 else b"P")
            writers.append(writer)
        neighbour, stop = Neighbour(key), asyncio.Event()
        task = asyncio.create_task(neighbour.run(stop))
        while len(neighbour.seconds) < 20 and not task.done():  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.01)
        stop.set()
        await task
        for writer in writers:
            writer.transport.abort()
        return neighbour.seconds

    assert max(asyncio.run(play())) < LONGEST_FOR_A_GOOD_CLIENT_SECONDS
    assert descriptors(server) < 1500


def test_bodies_that_never_end_take_no_more_memory_than_is_meant_for_them(server: ServerProcess) -> None:
    """Three hundred clients, each with the better part of eight megabytes for a call that nobody checked yet."""
    key = key_of(server)
    part = b"x" * (1024 * 1024)

    async def hold() -> asyncio.StreamWriter:
        host, _, port = key.host.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST / HTTP/1.1\r\nx-amz-target: Logs_20140328.PutLogEvents\r\ncontent-length: 8000000\r\n\r\n")
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(0.5):
                for _ in range(7):
                    writer.write(part)
                    await writer.drain()
        return writer

    async def play() -> tuple[int, list[float]]:
        writers = [await hold() for _ in range(40)] + list(await asyncio.gather(*(hold() for _ in range(60))))
        most = resident_kib(server)
        neighbour, stop = Neighbour(key), asyncio.Event()
        task = asyncio.create_task(neighbour.run(stop))
        await asyncio.sleep(0.3)
        stop.set()
        for writer in writers:
            writer.transport.abort()
        with suppress(AssertionError):  # it is told to try again, as the bodies take all that there is
            await task
        return most, neighbour.seconds

    before = resident_kib(server)
    most, _ = asyncio.run(play())
    assert most - before < 250 * 1024
