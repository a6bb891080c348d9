"""Terminals: taken over from whoever made one, made here, and given a size."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

_SIZE = struct.Struct("HHHH")
_NAME_BYTES = 4096


class ConsoleSocket:
    """Where an OCI runtime hands over the terminal that it has made in a container."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    async def accept(self) -> int:
        """The terminal's descriptor, close-on-exec. Raises OSError where something else is sent."""
        await anyio.wait_readable(self._listener)
        connection, _ = self._listener.accept()
        with connection:
            connection.setblocking(False)
            await anyio.wait_readable(connection)
            _, descriptors, _, _ = socket.recv_fds(connection, _NAME_BYTES, 1)
        if not descriptors:
            raise OSError("cannot take over a terminal: none was sent")
        os.set_inheritable(descriptors[0], False)
        return descriptors[0]


@contextmanager
def console_socket(path: Path) -> Iterator[ConsoleSocket]:
    """Listen at `path`, of any length; only for us. Raises OSError."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
            # A socket's address has 108 bytes at most, a path may have more.
            listener.bind(f"/proc/self/fd/{directory}/{path.name}")
            listener.listen(1)
            yield ConsoleSocket(listener)
    finally:
        os.close(directory)
        path.unlink(missing_ok=True)


def open_terminal() -> tuple[int, str]:
    """A new terminal of the host: the descriptor of its near end, close-on-exec, and the path of its far end."""
    near, far = pty.openpty()
    try:
        return near, os.ttyname(far)
    finally:
        os.close(far)


def set_size(terminal: int, rows: int, columns: int) -> None:
    """Who reads the terminal gets SIGWINCH if that is a change. Raises OSError."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, _SIZE.pack(rows, columns, 0, 0))
