"""Files out of a container or into it: one tar stream, and at its end a word about how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import anyio

from tidegate.channel.message import BadMessage
from tidegate.channel.stream import Note, decode_note
from tidegate.engine.engine import Engine
from tidegate.model.session import CopyReport, SessionFailure
from tidegate.server.channels.ending import Ending
from tidegate.server.channels.socket import Gone, WebSocket


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """is_out: from the container. into_directory: `path` must be a directory."""

    KIND: ClassVar[str] = "tidegate-copy"
    MOST_OF_A_TASK: ClassVar[int] = 8
    MOST: ClassVar[int] = 32

    task: str
    container: str
    path: str
    is_out: bool
    into_directory: bool = False


class CopyChannel:
    """See the module."""

    def __init__(self, target: CopyTarget, socket: WebSocket, engine: Engine) -> None:
        self._target = target
        self._socket = socket
        self._engine = engine

    async def run(self) -> Ending:
        """Until all is copied, it failed, or the client is gone."""
        try:
            report = await (self._send() if self._target.is_out else self._take())
        except SessionFailure as failure:
            await self._socket.send(Note(kind="Error", message=str(failure)).encode())
            await self._socket.close()
            return Ending(None, str(failure))
        except (Gone, BadMessage) as error:
            return Ending(None, str(error) or "the client is gone")
        done = Note(kind="Done", files=report.files, size_bytes=report.size_bytes, skipped=report.skipped)
        await self._socket.send(done.encode())
        await self._socket.close()
        return Ending(None, f"{report.files} files, {report.size_bytes} bytes")

    async def _send(self) -> CopyReport:
        target, report = self._target, CopyReport()
        async with anyio.create_task_group() as group:

            async def listen() -> None:
                """A client that sends nothing is heard all the same when it goes."""
                while not self._socket.is_gone:
                    try:
                        await self._socket.receive()
                    except Gone:
                        return

            group.start_soon(listen)
            try:
                report = await self._engine.copy_out(target.task, target.container, target.path, self._send_part)
                failure = None
            except (SessionFailure, Gone) as error:
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return report

    async def _send_part(self, data: bytes) -> None:
        if self._socket.is_gone:
            raise Gone
        await self._socket.send(data)

    async def _take(self) -> CopyReport:
        target = self._target
        return await self._engine.copy_in(
            target.task, target.container, target.path, self._receive_part, into_directory=target.into_directory
        )

    async def _receive_part(self) -> bytes:
        """Raises Gone, BadMessage."""
        while True:
            frame = await self._socket.receive()
            if isinstance(frame, bytes) and frame:
                return frame
            if isinstance(frame, str) and decode_note(frame).kind == "End":
                return b""
