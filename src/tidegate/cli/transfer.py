"""The client's side of a copy: a tar stream there or back, with what is on this side of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import click
from anyio import from_thread
from rich.console import Console
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TransferSpeedColumn

from tidegate.api import tidegate
from tidegate.channel.stream import FRAME_BYTES, Note, decode_note
from tidegate.cli.target import Target
from tidegate.cli.websocket import DataConnection, open_session
from tidegate.node.files.chunks import ChunkReader
from tidegate.node.files.pack import CopyFailure, Packer
from tidegate.node.files.unpack import Unpacker


@dataclass(slots=True)
class Transfer:
    """One copy. is_shown: its progress, on standard error."""

    target: Target
    session: tidegate.Session
    is_shown: bool
    _moved: Callable[[int], None] = lambda _: None

    async def fetch(self, to: Path | None) -> Note:
        """From the task to a path here, or to standard output. Raises click.ClickException."""
        return await self._run(lambda connection: self._fetch(connection, to))

    async def bring(self, source: Path | None) -> Note:
        """From a path here, or from standard input, to the task. Raises click.ClickException."""
        return await self._run(lambda connection: self._bring(connection, source))

    async def _run(self, work: Callable[[DataConnection], object]) -> Note:
        columns = (SpinnerColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn())
        progress = Progress(*columns, console=Console(stderr=True), transient=True) if self.is_shown else None
        with progress or nullcontext():
            if progress is not None:
                bar = progress.add_task("", total=None)
                self._moved = lambda size: progress.advance(bar, size)
            try:
                async with open_session(self.target, self.session) as connection:
                    return await work(connection)  # type: ignore[misc, no-any-return]
            except CopyFailure as error:
                raise click.ClickException(str(error)) from error
            except BaseExceptionGroup as group:
                raise _plain(group) from group

    async def _fetch(self, connection: DataConnection, to: Path | None) -> Note:
        last = Note(kind="End")

        async def receive() -> bytes:
            nonlocal last
            while True:
                frame = await connection.receive()
                if isinstance(frame, bytes):
                    self._moved(len(frame))
                    return frame
                last = decode_note(frame)
                if last.kind == "Error":
                    raise click.ClickException(last.message)
                return b""

        if to is None:
            while data := await receive():
                await anyio.to_thread.run_sync(_write, data)
            return last
        await anyio.to_thread.run_sync(_unpack, to, lambda: from_thread.run(receive))
        return last

    async def _bring(self, connection: DataConnection, source: Path | None) -> Note:
        """The server may say that it failed while we still send."""
        told: Note | None = None
        async with anyio.create_task_group() as group:

            async def listen() -> None:
                nonlocal told
                while told is None:
                    frame = await connection.receive()
                    told = decode_note(frame) if isinstance(frame, str) else None
                group.cancel_scope.cancel()

            group.start_soon(listen)
            await self._send_all(connection, source)
            await anyio.sleep_forever()
        assert told is not None, "the group ends when something was told"
        if told.kind == "Error":
            raise click.ClickException(told.message)
        return told

    async def _send_all(self, connection: DataConnection, source: Path | None) -> None:
        async def send(data: bytes) -> None:
            await connection.send(data)
            self._moved(len(data))

        def put(data: bytes) -> None:
            from_thread.check_cancelled()
            from_thread.run(send, data)

        def work() -> None:
            if source is not None:
                _pack(source, put)
                return
            while data := os.read(sys.stdin.fileno(), FRAME_BYTES):
                put(data)

        await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        await connection.send(Note(kind="End").encode())


def _pack(source: Path, put: Callable[[bytes], None]) -> None:
    """A link is followed, as it is in the task. Raises CopyFailure."""
    try:
        place = os.open(source, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise CopyFailure(f"cannot copy {source}: {error.strerror}") from error
    try:
        Packer(put).pack(place, source.absolute().name or "root")
    except OSError as error:
        raise CopyFailure(f"cannot copy {source}: {error.strerror}: {error.filename or ''}".rstrip(": ")) from error
    finally:
        os.close(place)


def _unpack(to: Path, get: Callable[[], bytes]) -> None:
    """Into a directory that is there, else as `to`. Raises CopyFailure."""
    rename = None if to.is_dir() else os.fsencode(to.name)
    try:
        directory = os.open(to if rename is None else to.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise CopyFailure(f"cannot copy to {to}: its directory: {error.strerror}") from error
    reader = ChunkReader(get)
    try:
        Unpacker(directory, rename).unpack(reader.read)
        reader.drain()
    finally:
        os.close(directory)


def _write(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(sys.stdout.fileno(), left) :]


def _plain(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return click.ClickException(str(error)) if isinstance(error, CopyFailure) else error
