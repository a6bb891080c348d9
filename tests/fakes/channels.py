"""Both ends around a session's channel: a client on a WebSocket of memory, and a command, a port, a tree of files."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel

from tidegate.channel.endpoint import WINDOW_BYTES, Endpoint
from tidegate.channel.handshake import HandshakeResponse
from tidegate.channel.message import CHANNEL_CLOSED, Message, PayloadType
from tidegate.engine.sim import SimEngine
from tidegate.model.session import CopyReport, ExecRequest, Receive, Send, TerminalSize
from tidegate.server.channels.ending import Channel, Ending
from tidegate.server.channels.socket import WebSocket

_T = TypeVar("_T")


class Queue(Generic[_T]):
    """Without a limit, and nothing to close."""

    def __init__(self) -> None:
        self._things: deque[_T] = deque()
        self._came = anyio.Event()

    def put(self, thing: _T) -> None:
        self._things.append(thing)
        self._came.set()

    async def get(self) -> _T:
        await anyio.lowlevel.checkpoint()
        while not self._things:
            self._came = anyio.Event()
            await self._came.wait()
        return self._things.popleft()


class Pipe:
    """Bytes that come when the test gives them; `end` ends them."""

    def __init__(self) -> None:
        self._parts = Queue[bytes]()
        self.taken = 0

    def give(self, data: bytes) -> None:
        self._parts.put(data)

    def end(self) -> None:
        self._parts.put(b"")

    async def read(self) -> bytes:
        data = await self._parts.get()
        self.taken += len(data)
        return data


class Command:
    """A started command that does what the test says. reads: it takes its input."""

    def __init__(self, *, reads: bool = True) -> None:
        self.output, self.errors = Pipe(), Pipe()
        self.input = b""
        self.input_ended = False
        self.sizes: list[TerminalSize] = []
        self.ends = 0
        self.reads = anyio.Event()
        self._code: int | None = None
        self._exited = anyio.Event()
        if reads:
            self.reads.set()

    def exit(self, code: int, *, closes: bool = True) -> None:
        """It has ended; closes: and nobody else holds its output."""
        self._code = code
        self._exited.set()
        if closes:
            self.output.end()
            self.errors.end()

    async def write(self, data: bytes) -> None:
        await self.reads.wait()
        self.input += data

    def end_input(self) -> None:
        self.input_ended = True

    def resize(self, size: TerminalSize) -> None:
        self.sizes.append(size)

    async def wait(self) -> int:
        await self._exited.wait()
        assert self._code is not None
        return self._code

    async def end(self) -> None:
        self.ends += 1


@dataclass
class Starter:
    """Starts that command, or fails so."""

    command: Command | Exception
    asked: list[ExecRequest] = field(default_factory=list)

    async def __call__(self, task: str, container: str, request: ExecRequest) -> Command:
        self.asked.append(request)
        if isinstance(self.command, Exception):
            raise self.command
        return self.command


class Line:
    """A WebSocket of memory, seen from the client. Frames are bytes or text; None: closed by the server."""

    def __init__(self, path: str = "/") -> None:
        self._up = Queue[dict[str, Any]]()
        self._down = Queue[dict[str, Any]]()
        self.scope = {"type": "websocket", "path": path}
        self.closed_with: dict[str, Any] = {}

    @property
    def socket(self) -> WebSocket:
        """The server's end."""
        return WebSocket(self.scope, self.server_receive, self.server_send)

    async def server_receive(self) -> dict[str, Any]:
        return await self._up.get()

    async def server_send(self, message: dict[str, Any]) -> None:
        self._down.put(message)
        await anyio.lowlevel.checkpoint()

    def connect(self) -> None:
        self._up.put({"type": "websocket.connect"})

    async def send(self, frame: bytes | str) -> None:
        self._up.put({"type": "websocket.receive", "bytes" if isinstance(frame, bytes) else "text": frame})

    def vanish(self) -> None:
        self._up.put({"type": "websocket.disconnect", "code": 1006})

    async def raw(self) -> dict[str, Any]:
        """As ASGI says it."""
        return await self._down.get()

    async def receive(self) -> bytes | str | None:
        message = await self.raw()
        if message["type"] == "websocket.close":
            self.closed_with = message
            return None
        return message.get("bytes") if message.get("bytes") is not None else str(message.get("text") or "")


class Client:
    """One that speaks the data channel. It acknowledges what `next` takes, and nothing else."""

    def __init__(self, line: Line, window_bytes: int = WINDOW_BYTES) -> None:
        self.line = line
        self.endpoint = Endpoint(line.send, is_agent=False, window_bytes=window_bytes)
        self.ending: Ending | None = None
        self.closed: dict[str, Any] | None = None
        self._ready: list[Message] = []

    async def send(self, payload_type: int, payload: bytes) -> None:
        await self.endpoint.send(payload_type, payload)

    async def next(self) -> Message | None:
        """None: it is over."""
        while not self._ready:
            frame = await self.line.receive()
            if frame is None:
                return None
            assert isinstance(frame, bytes)
            self._ready += await self.endpoint.take(frame)
        message = self._ready.pop(0)
        if message.type == CHANNEL_CLOSED:
            self.closed = json.loads(message.payload)
            return await self.next()
        return message

    async def rest(self) -> list[tuple[int, bytes]]:
        """All that still comes."""
        found = []
        while (message := await self.next()) is not None:
            found.append((message.payload_type, message.payload))
        return found

    async def shake(self) -> None:
        request = await self.next()
        assert request is not None
        assert request.payload_type == PayloadType.HANDSHAKE_REQUEST
        await self.send(PayloadType.HANDSHAKE_RESPONSE, HandshakeResponse(client_version="1").encode())
        complete = await self.next()
        assert complete is not None
        assert complete.payload_type == PayloadType.HANDSHAKE_COMPLETE


@asynccontextmanager
async def served(channel: Channel, line: Line, client: Client | None = None) -> AsyncIterator[Client]:
    """A client of a channel that runs; leaving waits for the channel's end, which it must come to by itself."""
    client = client or Client(line)

    async def run() -> None:
        client.ending = await channel.run()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        yield client


class Tree(SimEngine):
    """An engine whose containers hold these parts of a tree. `taken`: what was copied into them; `given`: parts out."""

    def __init__(self, parts: list[bytes], outcome: CopyReport | Exception) -> None:
        super().__init__([])
        self._parts = parts
        self._outcome = outcome
        self.taken = b""
        self.given = 0
        self.into_directory = False

    async def copy_out(self, task: str, container: str, path: str, send: Send) -> CopyReport:
        for part in self._parts:
            await send(part)
            self.given += 1
        return self._end()

    async def copy_in(
        self, task: str, container: str, path: str, receive: Receive, *, into_directory: bool = False
    ) -> CopyReport:
        self.into_directory = into_directory
        while part := await receive():
            self.taken += part
        return self._end()

    def _end(self) -> CopyReport:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome
