"""Reading and writing a descriptor that must not block: pipes, terminals, sockets."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable

import anyio

READ_BYTES = 32 * 1024


class Stream:
    """
    A descriptor that is ours, made non-blocking. One task may read it while another writes.

    A terminal whose other end was closed gives EIO, a socket that was reset ECONNRESET: each is the end, too.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._is_open = True
        os.set_blocking(fd, False)

    async def read(self) -> bytes:
        """Wait for some bytes, at most READ_BYTES; none: the end, or the stream was closed here."""
        while self._is_open:
            try:
                return os.read(self.fd, READ_BYTES)
            except BlockingIOError:
                if not await self._wait(anyio.wait_readable):
                    break
            except OSError as error:
                if error.errno not in (errno.EIO, errno.ECONNRESET):
                    raise
                break
        return b""

    async def write(self, data: bytes) -> bool:
        """Return when all is written; False if nobody reads any more."""
        left = memoryview(data)
        while left and self._is_open:
            try:
                left = left[os.write(self.fd, left) :]
            except BlockingIOError:
                if not await self._wait(anyio.wait_writable):
                    break
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.EIO, errno.ECONNRESET):
                    raise
                break
        return not left

    def close(self) -> None:
        """Idempotent; wakes those who wait."""
        if self._is_open:
            self._is_open = False
            anyio.notify_closing(self.fd)
            os.close(self.fd)

    async def _wait(self, wait: Callable[[int], Awaitable[None]]) -> bool:
        try:
            await wait(self.fd)
        except anyio.ClosedResourceError:
            return False
        return True
