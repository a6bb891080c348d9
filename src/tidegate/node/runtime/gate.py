"""
Lets a created container run: the OCI runtimes' `start` without the process that it costs (3 ms of about 10).

A created container waits at a named pipe, exec.fifo, in the runtime's state directory. crun's waits until somebody
writes to it; runc's opens it for writing, which blocks until somebody reads. `start` of both does that, and unlinks
the pipe. Where there is no such pipe the runtime's own `start` is called.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import anyio

from tidegate.kernel import process
from tidegate.node.runtime.toolchain import Kind


class GateClosed(Exception):
    """The container's process is gone or does not answer."""


def gate_path(root: Path, container: str) -> Path:
    """Exists from `create` until the container was started."""
    return root / container / "exec.fifo"


async def open_gate(kind: Kind, fifo: Path, pid: int, timeout_seconds: float) -> None:
    """
    Let it run. One that runs already is left alone.

    Raises FileNotFoundError where there is no pipe, GateClosed.
    """
    if kind == "crun":
        _write(fifo)
    else:
        await _read(fifo, pid, timeout_seconds)
    _unlink(fifo)


def _unlink(fifo: Path) -> None:
    fifo.unlink(missing_ok=True)


def _write(fifo: Path) -> None:
    try:
        fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody waits: it has passed, or is gone
            return
        raise
    try:
        os.write(fd, b"0")
    finally:
        os.close(fd)


async def _read(fifo: Path, pid: int, timeout_seconds: float) -> None:
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with anyio.move_on_after(timeout_seconds):
            while _is_waiting(pid):
                with anyio.move_on_after(1):
                    await anyio.wait_readable(fd)
                    os.read(fd, 1)
                    return
            return
        raise GateClosed(f"not ready after {timeout_seconds:g} s")
    finally:
        os.close(fd)


def _is_waiting(pid: int) -> bool:
    """runc's own code still runs in the container's first process."""
    arguments = process.read_cmdline(pid)
    return len(arguments) >= 2 and Path(arguments[0]).name == "runc" and arguments[1] == "init"
