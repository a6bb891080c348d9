"""
The client's side of a shell: what is typed goes to a command in a container, what it says comes out here.

Input is read in a thread of its own, since a terminal, a pipe and a file are waited for in three different ways, and
output is written in one, since whoever reads it may take long.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio import from_thread
from anyio.abc import TaskGroup

from tidegate.channel.endpoint import Endpoint
from tidegate.channel.handshake import HandshakeComplete, HandshakeRequest, HandshakeResponse, ProcessedAction
from tidegate.channel.message import CHANNEL_CLOSED, Message, PayloadType
from tidegate.channel.payloads import (
    ChannelClosed,
    Flag,
    Payload,
    decode_exit_code,
    encode_flag,
    encode_size,
)
from tidegate.channel.reliable import GivenUp
from tidegate.cli.terminal import read_size
from tidegate.cli.websocket import DataConnection, Lost

READ_BYTES = 16 * 1024
_P = TypeVar("_P", bound=Payload)


class OutputClosed(Exception):
    """Nobody reads what comes out here."""


@dataclass(slots=True)
class RemoteCommand:
    """One session. has_terminal: it is shown in a terminal, whose size it follows. takes_input: of ours."""

    connection: DataConnection
    has_terminal: bool
    takes_input: bool
    _code: int | None = None

    async def run(self) -> int:
        """Until it ends: its exit code. Raises Lost, OutputClosed."""
        endpoint = Endpoint(self.connection.send, is_agent=False)
        async with anyio.create_task_group() as group:
            group.start_soon(_repeat, endpoint)
            why = await self._listen(endpoint, group)
            group.cancel_scope.cancel()
        if self._code is None:
            raise Lost(why or "the session was closed")
        return self._code

    async def _listen(self, endpoint: Endpoint, group: TaskGroup) -> str:
        """Until the channel is closed: why, if not by the command's end."""
        while True:
            frame = await self.connection.receive()
            for message in await endpoint.take(frame) if isinstance(frame, bytes) else ():
                if message.type == CHANNEL_CLOSED:
                    return ChannelClosed.decode(message.payload).output
                await self._handle(message, endpoint, group)

    async def _handle(self, message: Message, endpoint: Endpoint, group: TaskGroup) -> None:
        match message.payload_type:
            case PayloadType.HANDSHAKE_REQUEST:
                await endpoint.send(PayloadType.HANDSHAKE_RESPONSE, _answer(message).encode())
            case PayloadType.HANDSHAKE_COMPLETE:
                HandshakeComplete.decode(message.payload)
                self._begin(endpoint, group)
            case PayloadType.OUTPUT:
                await _write(sys.stdout.fileno(), message.payload)
            case PayloadType.STANDARD_ERROR:
                await _write(sys.stderr.fileno(), message.payload)
            case PayloadType.EXIT_CODE:
                self._code = decode_exit_code(message.payload)

    def _begin(self, endpoint: Endpoint, group: TaskGroup) -> None:
        if self.has_terminal:
            group.start_soon(_follow_size, endpoint)
        group.start_soon(_send_input if self.takes_input else _send_end, endpoint)


def _answer(message: Message) -> HandshakeResponse:
    actions = HandshakeRequest.decode(message.payload).requested_client_actions
    return HandshakeResponse(
        client_version="1.2.0.0",
        processed_client_actions=tuple(
            ProcessedAction(
                action_type=action.action_type, action_status=1 if action.action_type == "SessionType" else 3
            )
            for action in actions
        ),
    )


async def _follow_size(endpoint: Endpoint) -> None:
    with anyio.open_signal_receiver(signal.SIGWINCH) as changes:
        await endpoint.send(PayloadType.SIZE, encode_size(read_size()))
        async for _ in changes:
            await endpoint.send(PayloadType.SIZE, encode_size(read_size()))


async def _send_input(endpoint: Endpoint) -> None:
    """From standard input to its end."""
    sending, receiving = anyio.create_memory_object_stream[bytes](0)

    def read() -> None:
        try:
            while data := os.read(sys.stdin.fileno(), READ_BYTES):
                from_thread.run(sending.send, data, token=token)
            from_thread.run(sending.aclose, token=token)
        except (OSError, RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # the session has ended meanwhile

    token = anyio.lowlevel.current_token()
    # A thread that waits for a key can't be ended, only left behind.
    threading.Thread(target=read, daemon=True).start()
    async with receiving:
        async for data in receiving:
            await endpoint.send(PayloadType.OUTPUT, data)
    await _send_end(endpoint)


async def _send_end(endpoint: Endpoint) -> None:
    await endpoint.send(PayloadType.FLAG, encode_flag(Flag.DISCONNECT))


async def _repeat(endpoint: Endpoint) -> None:
    try:
        await endpoint.keep_repeating()
    except GivenUp as error:
        raise Lost(f"the server does not answer: {error}") from error


async def _write(fd: int, data: bytes) -> None:
    def write() -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]

    try:
        await anyio.to_thread.run_sync(write, abandon_on_cancel=True)
    except BrokenPipeError as error:
        raise OutputClosed from error
