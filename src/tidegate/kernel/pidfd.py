"""Processes held by a file descriptor, so that a signal never reaches a stranger who got the same pid."""

from __future__ import annotations

import os
import select
import signal

import anyio


def open_pidfd(pid: int) -> int | None:
    """A descriptor of the process, close-on-exec; None if there is no such process."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def has_exited(pidfd: int) -> bool:
    """True once the process has ended, reaped or not."""
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        return True
    return _is_readable(pidfd)


def send_signal(pidfd: int, number: int) -> None:
    """Signal the process; one that is gone is no error."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return


async def wait_exited(pidfd: int) -> None:
    """Return when the process has ended. May be awaited by several tasks at once."""
    # An event loop registers a descriptor once; each waiter brings its own.
    own = os.dup(pidfd)
    try:
        await anyio.wait_readable(own)
    finally:
        os.close(own)


def _is_readable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))
