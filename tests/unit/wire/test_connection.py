"""Connections of clients who send nothing, too slowly, too much, or what is no HTTP; a good one beside them."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from tidegate.server.http import serving
from tidegate.wire.gate import Gate, Limits

pytestmark = pytest.mark.anyio
LIMITS = Limits(
    most=8,
    most_of_one_address=6,
    head_seconds=0.3,
    body_seconds=0.4,
    stall_seconds=0.3,
    linger_seconds=0.2,
    head_bytes=4096,
    headers=20,
    most_pipelined=4,
)
PATIENCE_SECONDS = 10
LARGE = b"x" * (16 * 1024 * 1024)
REQUEST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Echo:
    """Answers with the body; /large with a large one, /early before the body has come, /slow when it is told to."""

    def __init__(self) -> None:
        self.may_answer = anyio.Event()
        self.has_gone = anyio.Event()

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        body = b""
        while scope["path"] != "/early":
            message = await receive()
            if message["type"] == "http.disconnect":
                self.has_gone.set()
                return
            body += message["body"]
            if not message.get("more_body"):
                break
        if scope["path"] == "/slow":
            await self.may_answer.wait()
        answer = LARGE if scope["path"] == "/large" else body
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})
        self.has_gone.set()


class Server:
    """Echo behind a real socket."""

    def __init__(self, echo: Echo, port: int, gate: Gate) -> None:
        self.echo = echo
        self.gate = gate
        self.port = port

    async def connect(self, first: bytes = b"") -> SocketStream:
        stream = await anyio.connect_tcp("127.0.0.1", self.port)
        if first:
            await stream.send(first)
        return stream

    async def ask(self, request: bytes) -> bytes:
        """All that comes until the server closes."""
        async with await self.connect(request) as stream:
            return await everything(stream)

    async def is_well(self) -> bool:
        async with await self.connect(REQUEST) as stream:
            return (await stream.receive()).endswith(b"\r\n\r\nhi")


async def everything(stream: SocketStream) -> bytes:
    parts = b""
    with anyio.fail_after(PATIENCE_SECONDS), suppress(anyio.BrokenResourceError):  # reset: nothing more comes
        async for part in stream:
            parts += part
    return parts


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    echo = Echo()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving(echo, listener, LIMITS, check_seconds=0.02) as gate:
            yield Server(echo, listener.getsockname()[1], gate)
            echo.may_answer.set()


def status(answer: bytes) -> int:
    match = re.match(rb"HTTP/1.1 (\d+) ", answer)
    return int(match[1]) if match else 0


@pytest.mark.parametrize(
    "first",
    [b"", b"POST", b"POST / HTTP/1.1\r\nHost: a\r\n", b"\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"],
)
async def test_who_does_not_finish_a_request_is_told_so_and_closed(first: bytes) -> None:
    """Whether it stops before the first byte, in the head or in the body."""
    async with server() as served:
        assert status(await served.ask(first)) == 408
        assert await served.is_well()


async def test_a_byte_now_and_then_buys_no_time() -> None:
    """The whole head has one deadline, and an idle connection is not kept by empty lines."""
    async with server() as served, await served.connect(REQUEST) as stream:
        await stream.receive()
        async with anyio.create_task_group() as group:
            group.start_soon(dribble, stream)
            assert status(await everything(stream)) == 408
            group.cancel_scope.cancel()


async def dribble(stream: SocketStream) -> None:
    with suppress(anyio.BrokenResourceError):
        while True:
            await anyio.sleep(0.02)
            await stream.send(b"\r\n")


async def test_who_does_not_read_is_cut() -> None:
    """The handler is not held up for longer than that, and the memory of the answer is free again."""
    async with server() as served, await served.connect(b"GET /large HTTP/1.1\r\n\r\n") as stream:
        with anyio.fail_after(PATIENCE_SECONDS):
            await served.echo.has_gone.wait()
            while len(served.gate):  # noqa: ASYNC110 - the server has no event for it
                await anyio.sleep(0.02)
        assert len(await everything(stream)) < len(LARGE)


async def test_a_handler_may_take_longer_than_any_deadline() -> None:
    """Only the client's side has deadlines."""
    async with server() as served, await served.connect(b"GET /slow HTTP/1.1\r\n\r\n") as stream:
        with anyio.move_on_after(0.8):
            await stream.receive()
            pytest.fail("answered before it was told to")
        served.echo.may_answer.set()
        assert status(await stream.receive()) == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHo\x00st: a\r\n\r\n",
        b"POST /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(request_bytes: bytes) -> None:
    """And so is what two readers could understand in two ways: no request is smuggled in another's body."""
    async with server() as served:
        assert status(await served.ask(request_bytes)) == 400
        assert await served.is_well()


@pytest.mark.parametrize(
    "head",
    [
        b"a: b\r\n" * 21,
        b"a: " + b"b" * 5000 + b"\r\n",
        b"a: " + b"b" * 300_000,
        b"".join(b"a%d: %b\r\n" % (n, b"b" * 400) for n in range(15)),
    ],
)
async def test_too_long_a_head_is_refused(head: bytes) -> None:
    """In one piece or in many headers, finished or not."""
    async with server() as served:
        assert status(await served.ask(b"POST / HTTP/1.1\r\n" + head + b"\r\n")) == 431
        assert await served.is_well()


async def test_a_body_that_is_mostly_framing_is_refused() -> None:
    """Extensions of chunks and trailers are bytes that no limit of the body counts."""
    async with server() as served:
        start = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;"
        assert status(await served.ask(start + b"e" * 500_000)) == 400


async def test_trailers_mean_nothing() -> None:
    """They are no headers."""
    async with server() as served:
        request = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-amz-target: y\r\n\r\n"
        async with await served.connect(request) as stream:
            assert (await stream.receive()).endswith(b"\r\n\r\nx")


async def test_a_body_that_is_not_wanted_is_not_read_for_long() -> None:
    """The answer stands; what still comes is dropped for a moment, then the connection is closed."""
    async with server() as served:
        answer = await served.ask(b"POST /early HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n")
    assert status(answer) == 200
    assert answer.count(b"HTTP/1.1") == 1


async def test_requests_that_come_one_upon_the_other_are_answered_in_order() -> None:
    """As many as a connection may have on their way; more end it."""
    async with server() as served:
        async with await served.connect(REQUEST * 3) as stream:
            got = b""
            while got.count(b"hi") < 3:
                got += await stream.receive()
        assert (await served.ask(REQUEST * 200)).count(b"HTTP/1.1 200") <= 5
        assert await served.is_well()


async def test_idle_connections_keep_nobody_out() -> None:
    """A client that takes every place and sends nothing loses them to those who ask something."""
    async with server() as served, AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(await served.connect(b"POST / HTTP/1.1\r\n"))
        for _ in range(10):
            assert await served.is_well()


async def test_where_all_places_are_in_use_a_newcomer_is_told_so() -> None:
    """Those who are being answered are."""
    async with server() as served, AsyncExitStack() as stack:
        busy = [
            await stack.enter_async_context(await served.connect(b"GET /slow HTTP/1.1\r\n\r\n"))
            for _ in range(LIMITS.most_of_one_address)
        ]
        await anyio.wait_all_tasks_blocked()
        assert status(await served.ask(REQUEST)) == 503
        served.echo.may_answer.set()
        for stream in busy:
            assert status(await stream.receive()) == 200
