"""
Waits for files to change, by inotify(7): one descriptor for any number of files, no work while nothing happens.

A watch is armed for one change only, so that a file that is written all the time costs nothing while nobody waits.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from tidegate.kernel.background import running

_IN_MODIFY = 0x00000002
_IN_ONESHOT = 0x80000000
_HEADER = struct.Struct("iIII")
_READ_BYTES = 64 * 1024
_POLL_SECONDS = 1.0

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """One armed wait; its descriptor is None where the kernel has no watch to give (then the wait is a second)."""

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor
        self._changed = anyio.Event()

    def set_changed(self) -> None:
        """The file was written to."""
        self._changed.set()

    async def wait(self) -> None:
        """Return when the file was written to since the watch was armed."""
        if self.descriptor is None:
            await anyio.sleep(_POLL_SECONDS)
        else:
            await self._changed.wait()


class FileWatcher:
    """Use within `open`."""

    def __init__(self) -> None:
        self._fd = -1
        self._armed: dict[int, Watch] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Watches work inside. Raises OSError."""
        self._fd = _check(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            async with running(self._dispatch):
                yield
        finally:
            os.close(self._fd)
            self._armed.clear()

    def arm(self, path: Path) -> Watch:
        """Look at the file after this and before waiting: what came earlier is not told. One watch a file."""
        descriptor = _libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(_IN_MODIFY | _IN_ONESHOT))
        if descriptor < 0:
            return Watch(None)
        # The kernel gives the same descriptor while an earlier watch of the file is still armed.
        return self._armed.setdefault(descriptor, Watch(descriptor))

    def disarm(self, watch: Watch) -> None:
        """Nobody waits any more. Idempotent."""
        if watch.descriptor is not None and self._armed.pop(watch.descriptor, None) is not None:
            _libc.inotify_rm_watch(self._fd, watch.descriptor)

    async def _dispatch(self) -> None:
        while True:
            await anyio.wait_readable(self._fd)
            data = os.read(self._fd, _READ_BYTES)
            position = 0
            while position < len(data):
                descriptor, mask, _, size = _HEADER.unpack_from(data, position)
                position += _HEADER.size + size
                if mask & _IN_MODIFY and (watch := self._armed.pop(descriptor, None)) is not None:
                    watch.set_changed()


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot watch files: {os.strerror(code)}")
    return result
