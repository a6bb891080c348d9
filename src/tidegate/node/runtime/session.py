"""A command that runs in a container and that somebody talks to. See `model.session.ExecSession`."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import anyio

from tidegate.kernel import console, pidfd
from tidegate.kernel.spawn import Child
from tidegate.kernel.stream import Stream
from tidegate.model.session import TerminalSize
from tidegate.node.runtime.cgroup.cgroups import Cgroups
from tidegate.node.runtime.execfiles import ExecFiles, Session
from tidegate.node.runtime.runtime import Bundle
from tidegate.node.runtime.supervise import clean_message

HANG_UP_SECONDS = 3.0
"""What a command has to end by itself when whoever started it is gone."""
_REAP_SECONDS = 1.0
_COMPLAINT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command runs, and its files."""

    bundle: Bundle
    cgroups: Cgroups
    files: ExecFiles


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Near ends. With a terminal `input` and `output` are the same, and there are no errors."""

    input: int
    output: int
    errors: int | None
    complaints: int | None
    """A file that holds what the runtime said, where that is not among the errors."""


class RunningCommand:
    """Owns the runtime's `exec` process, the descriptors and the files of one command."""

    def __init__(self, child: Child, place: Place, descriptors: Descriptors) -> None:
        self._child = child
        self._place = place
        self._terminal = descriptors.output if descriptors.errors is None else None
        self._output = Stream(descriptors.output)
        self._input = self._output if self._terminal is not None else Stream(descriptors.input)
        self._complaints = descriptors.complaints
        self.output = self if self._complaints is not None else self._output
        self.errors = Stream(descriptors.errors) if descriptors.errors is not None else None
        self._code: int | None = None
        self._is_ended = False

    async def read(self) -> bytes:
        """What comes to the terminal; at its end, what the runtime had to say."""
        data = await self._output.read()
        if data or self._is_ended:
            return data
        await self.wait()
        if self._complaints is None:
            return b""
        said = read_complaints(self._complaints)
        os.close(self._complaints)
        self._complaints = None
        return said.encode() + b"\r\n" if said else b""

    async def write(self, data: bytes) -> None:
        """See ExecSession."""
        await self._input.write(data)

    def end_input(self) -> None:
        """See ExecSession."""
        if self._terminal is None:
            self._input.close()

    def resize(self, size: TerminalSize) -> None:
        """See ExecSession."""
        if self._terminal is not None and not self._is_ended:
            console.set_size(self._terminal, size.rows, size.columns)

    async def wait(self) -> int:
        """See ExecSession."""
        if self._code is None:
            await pidfd.wait_exited(self._child.pidfd)
            self._reap()
        assert self._code is not None
        return self._code

    async def end(self) -> None:
        """See ExecSession."""
        if self._is_ended:
            return
        self._is_ended = True
        with anyio.CancelScope(shield=True):
            try:
                if self._code is None:
                    await self._hang_up()
            finally:
                self._release()

    async def _hang_up(self) -> None:
        session = Session.find(self._place.cgroups, self._place.bundle, self._place.files)
        if session is not None and session.signal(signal.SIGHUP):
            session.signal(signal.SIGCONT)
            if not await session.wait_gone(HANG_UP_SECONDS):
                await session.kill()
        # The runtime reaps the command and ends; killed, it would leave that to process 1.
        with anyio.move_on_after(_REAP_SECONDS):
            await pidfd.wait_exited(self._child.pidfd)
        if self._code is None:
            self._child.kill()
            self._reap()

    def _release(self) -> None:
        for stream in (self._input, self._output, self.errors):
            if stream is not None:
                stream.close()
        if self._complaints is not None:
            os.close(self._complaints)
            self._complaints = None
        self._place.files.remove()

    def _reap(self) -> None:
        if self._code is None:
            self._code = self._child.reap()


def read_complaints(file: int) -> str:
    """The last of what was written to a file in memory, as one line."""
    size = os.fstat(file).st_size
    data = os.pread(file, _COMPLAINT_BYTES, max(0, size - _COMPLAINT_BYTES))
    return clean_message(data.decode(errors="replace"))
