"""
How large the files of a running supervisor may grow, by its RLIMIT_FSIZE: beyond that its writes fail.

A write that fails like that also raises SIGXFSZ. A supervisor that does not ignore it (another version of ours started
it) would be killed, so its limit is left alone.
"""

from __future__ import annotations

import resource
import signal

from tidegate.kernel import process

_XFSZ_BIT = 1 << (signal.SIGXFSZ - 1)


def set_file_limit(pid: int, size: int) -> None:
    """Bytes. Without effect on a process that is gone or that would not survive it."""
    if not process.read_ignored_signals(pid) & _XFSZ_BIT:
        return
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    except ProcessLookupError:
        return


def find_file_limit(pid: int) -> int | None:
    """Bytes; None: there is no limit, or no such process."""
    try:
        soft, _ = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    except ProcessLookupError:
        return None
    return None if soft == resource.RLIM_INFINITY else soft
