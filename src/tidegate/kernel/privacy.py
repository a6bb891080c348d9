"""
What this process has in its memory stays there: no core dump of it is written, and only root with CAP_SYS_PTRACE may
look into it.

RLIMIT_CORE alone would not do: the kernel ignores it where core dumps go to a program (`|` in core_pattern).
"""

from __future__ import annotations

import ctypes
import os
import resource

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_libc = ctypes.CDLL(None, use_errno=True)


def forbid_core_dumps() -> None:
    """For this process, and by the soft limit for those that it starts. Raises OSError."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if _libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot forbid core dumps: {os.strerror(code)}")


def is_dumpable() -> bool:
    """Whether the kernel would write a core dump of this process."""
    return bool(_libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 1)
