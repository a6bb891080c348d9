"""
Sends a container's lines by the Forward protocol.

Each chunk is sent again until it is acknowledged; then the offset behind it is written down. A kill in between sends
one chunk twice, under the same id: the protocol has nothing better. A receiver that does not acknowledge has what was
written to its socket: what it had not worked off when it died is lost with it, and at the end it is given the time to
read all of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from anyio.abc import ByteStream

from tidegate.model.log import Burst
from tidegate.model.spec import ForwardTarget
from tidegate.node.output.channel import SentOffset
from tidegate.node.output.forward import Origin, chunk_id, encode_entries, encode_message, read_acknowledgement

CONNECT_SECONDS: Final = 5.0
ACKNOWLEDGE_SECONDS: Final = 30.0
"""For the receiver to take a chunk."""
MISSING_SECONDS: Final = 2.0
"""A receiver that has just been started makes its socket in a moment."""
PORT: Final = 24224
_UNIX: Final = "unix://"
_AGAIN_SECONDS: Final = 0.05
_LONGEST_ANSWER: Final = 4096


class ForwardChannel:
    """Satisfies `Channel`. address: `tcp://HOST:PORT` or `unix://PATH`."""

    chunk_bytes = 64 * 1024

    def __init__(self, target: ForwardTarget, source: str, origin: Origin, sent: SentOffset) -> None:
        self._target, self._source, self._origin, self._sent = target, source, origin, sent
        self._stream: ByteStream | None = None

    async def open(self) -> int:
        """See Channel."""
        return self._sent.read()

    async def append(self, bursts: Sequence[Burst], offset: int) -> None:
        """See Channel."""
        entries = await to_thread.run_sync(encode_entries, bursts, self._origin)
        if entries:
            chunk = chunk_id(self._source, offset) if self._target.has_acknowledgements else None
            await self._deliver(encode_message(self._target.tag, entries, chunk), chunk)
        self._sent.write(offset)

    async def _deliver(self, message: bytes, chunk: str | None) -> None:
        """A receiver may have closed a connection that was idle: that is worth another one, once."""
        is_used = self._stream is not None
        try:
            await self._send(message, chunk)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            await self.close()
            if not is_used:
                raise OSError("the receiver has closed the connection") from error
            await self._deliver(message, chunk)
        except BaseException:
            await self.close()
            raise

    async def finish(self) -> None:
        """Nothing more comes. Without acknowledgements: the connection is closed when all was read."""
        if self._stream is not None and not self._target.has_acknowledgements:
            with anyio.move_on_after(CONNECT_SECONDS), suppress(OSError, anyio.EndOfStream, anyio.BrokenResourceError):
                await self._stream.send_eof()
                await self._stream.receive()

    async def close(self) -> None:
        """See Channel."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with anyio.CancelScope(shield=True), suppress(OSError, anyio.BrokenResourceError):
                await stream.aclose()

    async def _send(self, message: bytes, chunk: str | None) -> None:
        if self._stream is None:
            self._stream = await _connect(self._target.address)
        with anyio.fail_after(ACKNOWLEDGE_SECONDS):
            await self._stream.send(message)
            if chunk is not None:
                await _await_acknowledgement(self._stream, chunk)


async def _await_acknowledgement(stream: ByteStream, chunk: str) -> None:
    answer = b""
    while len(answer) < _LONGEST_ANSWER:
        answer += await stream.receive(_LONGEST_ANSWER)
        found = read_acknowledgement(answer)
        if found == chunk:
            return
        if found is not None:
            raise ValueError("the receiver has acknowledged another chunk than it was sent")
    raise ValueError("the receiver answers without end")


async def _connect(address: str) -> ByteStream:
    """Raises OSError."""
    deadline = anyio.current_time() + MISSING_SECONDS
    while True:
        try:
            with anyio.fail_after(CONNECT_SECONDS):
                return await _connect_once(address)
        except (FileNotFoundError, ConnectionRefusedError, TimeoutError) as error:
            if anyio.current_time() >= deadline:
                raise OSError(f"cannot reach the receiver at {address}: {error}") from error
        await anyio.sleep(_AGAIN_SECONDS)


async def _connect_once(address: str) -> ByteStream:
    if address.startswith(_UNIX):
        with _held_socket(address.removeprefix(_UNIX)) as path:
            return await anyio.connect_unix(path)
    parts = urlsplit(address)
    return await anyio.connect_tcp(parts.hostname or "", parts.port or PORT)


@contextmanager
def _held_socket(path: str) -> Iterator[str]:
    """
    The socket itself by a short path, whatever its name comes to mean meanwhile.

    A container that can write to the directory must not lead us to a socket of the host's by a link.
    """
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise OSError(f"{path} is no socket")
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
