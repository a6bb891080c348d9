"""Runs a program to its end, with a time limit, and keeps the beginning of what it says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from tidegate.kernel import pidfd
from tidegate.kernel.spawn import Child, Spawner

_READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """code: 128 + signal number when a signal ended it. output: stdout and stderr as they came."""

    code: int
    output: str


class BoundedOutput:
    """Reads a pipe as it fills; keeps the first `limit_bytes` and drops the rest."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._data = b""
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)

    async def read(self) -> None:
        """Until all writers have gone; to be cancelled otherwise."""
        while self.read_available():
            await anyio.wait_readable(self._reading)

    def read_available(self) -> bool:
        """Take what is in the pipe now; False at its end."""
        while True:
            try:
                part = os.read(self._reading, _READ_BYTES)
            except BlockingIOError:
                return True
            if not part:
                return False
            self._data += part[: self._limit_bytes - len(self._data)]

    def close_writing(self) -> None:
        """Once the child has its own."""
        os.close(self.writing)

    def finish(self) -> str:
        """What was kept, as text; closes the pipe."""
        self.read_available()
        os.close(self._reading)
        return self._data.decode(errors="replace")


async def run(
    spawner: Spawner, arguments: Sequence[str], *, timeout_seconds: float, limit_bytes: int = 16 * 1024
) -> Finished:
    """Raises TimeoutError (the program is killed), OSError where it can't be started."""
    output = BoundedOutput(limit_bytes)
    try:
        child = spawner.spawn(arguments, stdout=output.writing, stderr=output.writing)
    except OSError:
        output.close_writing()
        output.finish()
        raise
    output.close_writing()
    try:
        with anyio.fail_after(timeout_seconds):
            await wait_reading(child, output)
    except TimeoutError:
        raise TimeoutError(f"{os.path.basename(arguments[0])} did not end in {timeout_seconds:g} s") from None
    finally:
        child.kill()
        code = child.reap()
        text = output.finish()
    return Finished(code, text)


async def wait_reading(child: Child, output: BoundedOutput) -> None:
    """Return when the child has ended, even if one that it left behind holds the pipe."""
    async with anyio.create_task_group() as group:
        group.start_soon(output.read)
        await pidfd.wait_exited(child.pidfd)
        group.cancel_scope.cancel()
