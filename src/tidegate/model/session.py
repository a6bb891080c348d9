"""What somebody does inside a running container from outside: a command that is talked to, and how it is talked to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

READ_BYTES = 32 * 1024
"""As much as one read of a session gives at most."""


class TerminalSize(msgspec.Struct, frozen=True):
    """Of a terminal, in characters."""

    rows: int = 24
    columns: int = 80


class ExecRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A command to run in a container beside what runs there."""

    command: tuple[str, ...]
    """At least one word; the first is looked up as the container would."""
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    """On top of the container's own."""
    user: str = ""
    """USER[:GROUP], by name or number; empty: root."""
    working_directory: str = ""
    """Absolute; empty: the container's."""
    terminal: TerminalSize | None = None
    """None: three pipes, for standard input, output and error."""


Send = Callable[[bytes], Coroutine[Any, Any, None]]
"""Takes a piece of a stream; returns when there is room for the next."""
Receive = Callable[[], Coroutine[Any, Any, bytes]]
"""Gives the next piece of a stream; empty at its end."""


class SessionFailure(Exception):
    """
    The command could not be started, or the container can't be reached.

    code: what a shell would exit with: 127 no such command, 126 it can't be executed, 125 for the rest.
    """

    def __init__(self, message: str, code: int = 125) -> None:
        super().__init__(message)
        self.code = code


class ByteSource(Protocol):
    """Where bytes come from."""

    async def read(self) -> bytes:
        """Wait for some, at most READ_BYTES; none: this was all."""


class Connection(Protocol):
    """A TCP connection to a port of a task. `close` must be called."""

    async def read(self) -> bytes:
        """Wait for some bytes, at most READ_BYTES; none: the other side sends no more."""

    async def write(self, data: bytes) -> bool:
        """Return when all is written; False if the other side reads no more."""

    def end_output(self) -> None:
        """We send no more."""

    def close(self) -> None:
        """Idempotent."""


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied. skipped: what can't be (devices, sockets, what is no file), up to a limit."""

    files: int = 0
    size_bytes: int = 0
    skipped: tuple[str, ...] = ()


class ExecSession(Protocol):
    """A command that was started in a container. `end` must be called, also when it has ended by itself."""

    @property
    def output(self) -> ByteSource:
        """What it writes: standard output, or all that comes to its terminal."""

    @property
    def errors(self) -> ByteSource | None:
        """Standard error; None with a terminal."""

    async def write(self, data: bytes) -> None:
        """Hand it input; returns when it has been taken. A command that reads no more loses it."""

    def end_input(self) -> None:
        """No more input will come. With a terminal, nothing: its end is a character."""

    def resize(self, size: TerminalSize) -> None:
        """Tell its terminal the size; without a terminal, nothing."""

    async def wait(self) -> int:
        """Its exit code once it has ended; 128 + signal number when a signal ended it."""

    async def end(self) -> None:
        """Hang up: SIGHUP to all of its session, SIGKILL to what is left after a moment. Idempotent."""
