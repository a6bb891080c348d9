"""
The agent's side of a shell: a data channel on one hand, a command in a container on the other.

    handshake -> start -> input, output, size, flags <-> the command -> exit code -> channel closed

A fast writer is held by the window of what the client has not acknowledged. Input that the command does not read is not
acknowledged once there is much of it, so that a client with a window waits; of one without, what finds no room is
dropped, and so comes again. Whoever vanishes has the command hung up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import anyio
import msgspec
from anyio import current_time

from tidegate.channel.endpoint import Endpoint, Room, now_iso
from tidegate.channel.handshake import HandshakeComplete, HandshakeResponse, SessionType, plan_handshake
from tidegate.channel.message import CHANNEL_CLOSED, BadMessage, Message, PayloadType
from tidegate.channel.payloads import (
    ChannelClosed,
    Flag,
    decode_flag,
    decode_size,
    encode_exit_code,
)
from tidegate.channel.reliable import GivenUp
from tidegate.model.session import ByteSource, ExecRequest, ExecSession, SessionFailure
from tidegate.server.channels.ending import Ending
from tidegate.server.channels.inbox import Inbox
from tidegate.server.channels.socket import Gone, WebSocket
from tidegate.server.channels.transcript import Transcript

IDLE_SECONDS = 20 * 60.0
"""As on AWS, where it is fixed. Of a terminal: a command that works in silence is not idle."""
HANDSHAKE_SECONDS = 15.0
QUIET_SECONDS = 0.25
"""How long output may pause after the command's end: what it left in the background may hold the pipe for ever."""
SETTLE_SECONDS = 5.0
PLUGIN_CHUNK_BYTES = 1024
CHUNK_BYTES = 16 * 1024

Start = Callable[[str, str, ExecRequest], Awaitable[ExecSession]]


@dataclass(frozen=True, slots=True)
class ExecTarget:
    """A command in a container of a task."""

    KIND: ClassVar[str] = "ecs-execute-command"
    MOST_OF_A_TASK: ClassVar[int] = 32
    MOST: ClassVar[int] = 512

    task: str
    container: str
    request: ExecRequest
    principal: str
    is_ours: bool
    """
    Asked for by our own API: the client is told the exit code, and takes large messages. AWS's plugin shows an exit
    code as if it were output, as its agent sends none to a terminal.
    """
    log_group: str | None = None
    """Where what is shown is kept, in a stream of the session's name."""


class ExecChannel:
    """One session, from the handshake to its end."""

    def __init__(
        self, target: ExecTarget, session: str, socket: WebSocket, start: Start, transcript: Transcript | None = None
    ) -> None:
        self._target = target
        self._session_id = session
        self._socket = socket
        self._start = start
        self._transcript = transcript
        self._endpoint = Endpoint(socket.send, is_agent=True)
        self._inbox = Inbox()
        self._size = target.request.terminal
        self._shaken = anyio.Event()
        self._command: ExecSession | None = None
        self._active_at = current_time()
        self._sending = 0
        self._ending = Ending()

    async def run(self) -> Ending:
        """Until the command has ended, or the client is gone."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._receive, group.cancel_scope)
            group.start_soon(self._repeat, group.cancel_scope)
            await self._serve()
            group.cancel_scope.cancel()
        return self._ending

    async def _serve(self) -> None:
        began = current_time()
        kind: SessionType = "InteractiveCommands" if self._size else "NonInteractiveCommands"
        await self._endpoint.send(PayloadType.HANDSHAKE_REQUEST, plan_handshake(kind).encode())
        with anyio.move_on_after(HANDSHAKE_SECONDS):
            await self._shaken.wait()
        if not self._shaken.is_set():
            await self._close("the handshake was not answered")
            return
        complete = HandshakeComplete(handshake_time_to_complete=int((current_time() - began) * 1e9))
        await self._endpoint.send(PayloadType.HANDSHAKE_COMPLETE, complete.encode())
        try:
            if self._transcript is not None:
                await self._transcript.open()
            request = msgspec.structs.replace(self._target.request, terminal=self._size)
            self._command = await self._start(self._target.task, self._target.container, request)
        except SessionFailure as failure:
            await self._fail(failure)
            return
        try:
            why = await self._talk(self._command)
        finally:
            await self._command.end()
            if self._transcript is not None:
                with anyio.CancelScope(shield=True):
                    await self._transcript.close()
        await self._close(why)

    async def _talk(self, command: ExecSession) -> str:
        """Until the command has ended: why, if not by itself."""
        why = ""
        if self._size is not None:
            command.resize(self._size)
        async with anyio.create_task_group() as group:
            pumps = [anyio.Event() for _ in range(2)]
            group.start_soon(self._pump, command.output, PayloadType.OUTPUT, pumps[0])
            group.start_soon(self._pump, command.errors, PayloadType.STANDARD_ERROR, pumps[1])
            group.start_soon(self._feed, command)
            if self._transcript is not None:
                group.start_soon(self._transcript.run)
            if self._size is not None:

                async def watch() -> None:
                    nonlocal why
                    why = await self._wait_idle()
                    group.cancel_scope.cancel()

                group.start_soon(watch)
            self._ending = Ending(await command.wait(), "ended")
            await self._drain(pumps)
            if self._target.is_ours:
                assert self._ending.code is not None
                await self._endpoint.send(PayloadType.EXIT_CODE, encode_exit_code(self._ending.code))
            group.cancel_scope.cancel()
        return why

    async def _pump(self, source: ByteSource | None, kind: PayloadType, done: anyio.Event) -> None:
        chunk = CHUNK_BYTES if self._target.is_ours else PLUGIN_CHUNK_BYTES
        while source is not None and (data := await source.read()):
            self._sending += 1
            if self._transcript is not None:
                self._transcript.add(data)
            for start in range(0, len(data), chunk):
                await self._endpoint.send(kind, data[start : start + chunk])
            self._active_at = current_time()
            self._sending -= 1
        done.set()

    async def _feed(self, command: ExecSession) -> None:
        while data := await self._inbox.get():
            await command.write(data)
            if self._inbox.room is Room.PLENTY:
                await self._endpoint.pay()
        command.end_input()

    async def _drain(self, pumps: list[anyio.Event]) -> None:
        ended_at = current_time()
        while not all(pump.is_set() for pump in pumps):
            quiet_since = max(ended_at, self._active_at)
            if not self._sending and current_time() - quiet_since >= QUIET_SECONDS:
                return
            await anyio.sleep(QUIET_SECONDS / 25)

    async def _wait_idle(self) -> str:
        while (left := self._active_at + IDLE_SECONDS - current_time()) > 0:  # noqa: ASYNC110 - time is what is awaited
            await anyio.sleep(left)
        return f"the session was idle for {IDLE_SECONDS / 60:g} minutes"

    async def _receive(self, session: anyio.CancelScope) -> None:
        """The frames that come. A client that does not keep to the protocol has none to talk to."""
        try:
            while True:
                frame = await self._socket.receive()
                if isinstance(frame, bytes):
                    for message in await self._endpoint.take(frame, lambda: self._inbox.room):
                        self._handle(message, session)
        except Gone:
            session.cancel()
        except BadMessage as error:
            self._ending.why = f"the client sent what is no message: {error}"
            session.cancel()

    def _handle(self, message: Message, session: anyio.CancelScope) -> None:
        if message.type == CHANNEL_CLOSED:
            session.cancel()
            return
        match message.payload_type:
            case PayloadType.OUTPUT:
                self._active_at = current_time()
                self._inbox.put(message.payload)
            case PayloadType.SIZE if self._size is not None:
                self._size = decode_size(message.payload)
                if self._command is not None:
                    self._command.resize(self._size)
            case PayloadType.HANDSHAKE_RESPONSE:
                HandshakeResponse.decode(message.payload)
                self._shaken.set()
            case PayloadType.FLAG:
                match decode_flag(message.payload):
                    case Flag.DISCONNECT:
                        self._inbox.end()
                    case Flag.TERMINATE:
                        self._ending.why = "the client ended it"
                        session.cancel()

    async def _repeat(self, session: anyio.CancelScope) -> None:
        try:
            await self._endpoint.keep_repeating()
        except GivenUp as error:
            self._ending.why = str(error)
            session.cancel()

    async def _fail(self, failure: SessionFailure) -> None:
        self._ending = Ending(failure.code, f"it did not start: {failure}")
        if not self._target.is_ours:
            await self._close(str(failure))
            return
        kind = PayloadType.OUTPUT if self._size else PayloadType.STANDARD_ERROR
        end = "\r\n" if self._size else "\n"
        await self._endpoint.send(kind, f"{failure}{end}".encode())
        await self._endpoint.send(PayloadType.EXIT_CODE, encode_exit_code(failure.code))
        await self._close("")

    async def _close(self, why: str) -> None:
        """Say that it is over, once all that came before has arrived."""
        if why:
            self._ending.why = why
        await self._endpoint.settle(SETTLE_SECONDS)
        closed = ChannelClosed(
            message_id=self._session_id, created_date=now_iso(), session_id=self._session_id, output=why
        )
        await self._endpoint.send_beside(CHANNEL_CLOSED, closed.encode())
        await self._socket.close()
