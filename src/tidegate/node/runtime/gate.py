"""
Lets a created container run: crun's `start` without the process that it costs (3 ms of about 15).

A created container waits at a named pipe, exec.fifo, in the runtime's state directory. With crun it waits until a byte
is written to it. A writer that dies between opening and writing leaves it asking again and again, and then it may ask
just between the opening and the writing of the next one, find neither byte nor end, and give up. So a container that an
earlier process of ours may have touched is stopped for as long as that takes.

With runc it is the other way round: the container writes, and dies of a broken pipe if a reader opens the pipe and then
dies. So for runc its own `start` is called, a process that outlives us.
"""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import anyio

from tidegate.kernel import pidfd
from tidegate.kernel.process import read_stat
from tidegate.node.runtime.toolchain import Kind

_STOP_SECONDS = 1
_POLL_SECONDS = 0.001


def gate_path(root: Path, container: str) -> Path:
    """Exists from `create` until the container was started."""
    return root / container / "exec.fifo"


async def open_gate(kind: Kind, fifo: Path, process: int | None, pid: int, *, is_touched: bool) -> bool:
    """
    Let it run; one that runs already is left alone. False where the runtime's own `start` must be called.

    process: pidfd of the container's first process, None if that is gone. is_touched: somebody may have tried before.
    Raises OSError.
    """
    if kind != "crun":
        return False
    if not is_touched or process is None:
        return _write(fifo)
    pidfd.send_signal(process, signal.SIGSTOP)
    try:
        await _wait_stopped(pid)
        return _write(fifo)
    finally:
        pidfd.send_signal(process, signal.SIGCONT)


def _write(fifo: Path) -> bool:
    try:
        fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        # Nobody waits: it has passed, or is gone.
    else:
        try:
            os.write(fd, b"0")
        finally:
            os.close(fd)
    fifo.unlink(missing_ok=True)
    return True


async def _wait_stopped(pid: int) -> None:
    """A signal is sent before it has arrived."""
    with anyio.move_on_after(_STOP_SECONDS):
        while (stat := read_stat(pid)) is not None and stat.state not in "TtZX":  # noqa: ASYNC110 - not of this process
            await anyio.sleep(_POLL_SECONDS)
