"""Ways into a running task from outside: connections to its ports, files out of it and into it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.to_thread

from tidegate.kernel import failpoint
from tidegate.kernel.netns import connect_in
from tidegate.kernel.stream import Stream
from tidegate.model.session import CopyReport, Receive, Send, SessionFailure
from tidegate.node.files.copy import copy_in, copy_out
from tidegate.node.files.pack import CopyFailure
from tidegate.node.runtime.runtime import Container

CONNECT_SECONDS = 10.0
MOST_COPIES = 32
LOOPBACK = "127.0.0.1"


class PortConnection:
    """See `model.session.Connection`."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = Stream(connection.detach())

    async def read(self) -> bytes:
        """See Connection."""
        return await self._stream.read()

    async def write(self, data: bytes) -> bool:
        """See Connection."""
        return await self._stream.write(data)

    def end_output(self) -> None:
        """See Connection."""
        borrowed = socket.socket(fileno=os.dup(self._stream.fd))
        try:
            borrowed.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it is closed already
        finally:
            borrowed.close()

    def close(self) -> None:
        """See Connection."""
        self._stream.close()


async def dial(namespace: Path, address: str, port: int) -> PortConnection:
    """
    Connect to a port of a task from within its network: to its loopback, else to its own address.

    Raises SessionFailure.
    """
    why = ""
    with anyio.move_on_after(CONNECT_SECONDS) as limit:
        for place in (LOOPBACK, address):
            try:
                return PortConnection(await connect_in(namespace, place, port))
            except OSError as error:
                why = os.strerror(error.errno or 0)
    if limit.cancelled_caught:
        why = f"no answer within {CONNECT_SECONDS:g} s"
    raise SessionFailure(f"cannot connect to port {port} of the task: {why}")


class Copier:
    """Copies out of and into containers, so many at once; each takes a thread."""

    def __init__(self) -> None:
        self._limit: anyio.CapacityLimiter | None = None

    async def copy_out(self, container: Container, path: str, send: Send) -> CopyReport:
        """Raises SessionFailure; what `send` raises comes through."""

        def put(data: bytes) -> None:
            anyio.from_thread.check_cancelled()
            anyio.from_thread.run(send, data)

        return await self._run(container, lambda root: copy_out(root, path, put))

    async def copy_in(self, container: Container, path: str, receive: Receive, *, into_directory: bool) -> CopyReport:
        """Raises SessionFailure; what `receive` raises comes through."""

        def get() -> bytes:
            anyio.from_thread.check_cancelled()
            return anyio.from_thread.run(receive)

        return await self._run(container, partial(_copy_in, path=path, get=get, into_directory=into_directory))

    async def _run(self, container: Container, work: Callable[[int], CopyReport]) -> CopyReport:
        if self._limit is None:
            self._limit = anyio.CapacityLimiter(MOST_COPIES)
        root = container.open_root()
        try:
            await failpoint.reach("session.copy", SessionFailure)
            return await anyio.to_thread.run_sync(work, root, limiter=self._limit)
        except CopyFailure as failure:
            raise SessionFailure(str(failure)) from failure
        finally:
            os.close(root)


def _copy_in(root: int, *, path: str, get: Callable[[], bytes], into_directory: bool) -> CopyReport:
    return copy_in(root, path, get, into_directory=into_directory)
