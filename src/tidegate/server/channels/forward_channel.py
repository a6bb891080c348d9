"""One connection to a port of a task: a stream there and back, until both directions have ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import anyio

from tidegate.channel.message import BadMessage
from tidegate.channel.stream import Note, decode_note
from tidegate.model.session import Connection, SessionFailure
from tidegate.server.channels.ending import Ending
from tidegate.server.channels.socket import Gone, WebSocket

Dial = Callable[[str, int], Awaitable[Connection]]


@dataclass(frozen=True, slots=True)
class ForwardTarget:
    """A port of a task."""

    KIND: ClassVar[str] = "tidegate-forward"
    MOST_OF_A_TASK: ClassVar[int] = 256
    MOST: ClassVar[int] = 1024

    task: str
    port: int


class ForwardChannel:
    """A fast side waits for the slow one: what is not written is not read."""

    def __init__(self, target: ForwardTarget, socket: WebSocket, dial: Dial) -> None:
        self._target = target
        self._socket = socket
        self._dial = dial

    async def run(self) -> Ending:
        """Until it is over."""
        try:
            connection = await self._dial(self._target.task, self._target.port)
        except SessionFailure as failure:
            await self._socket.send(Note(kind="Error", message=str(failure)).encode())
            await self._socket.close()
            return Ending(None, str(failure))
        try:
            return await self._carry(connection)
        finally:
            connection.close()

    async def _carry(self, connection: Connection) -> Ending:
        ending = Ending(None, "ended")
        async with anyio.create_task_group() as group:

            async def bring() -> None:
                try:
                    await self._bring(connection)
                except (Gone, BadMessage) as error:
                    ending.why = str(error) or "the client is gone"
                    group.cancel_scope.cancel()

            group.start_soon(bring)
            while data := await connection.read():
                await self._socket.send(data)
            await self._socket.send(Note(kind="End").encode())
        await self._socket.close()
        return ending

    async def _bring(self, connection: Connection) -> None:
        """From the client to the port, until the client sends no more. Raises Gone, BadMessage."""
        while True:
            frame = await self._socket.receive()
            if isinstance(frame, bytes):
                if not await connection.write(frame):
                    return  # nobody there reads any more
            elif decode_note(frame).kind == "End":
                connection.end_output()
                return
