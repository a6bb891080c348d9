"""openat2(2): paths that others wrote, resolved as if a directory were `/`, so that none leads out of it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_SYS_OPENAT2 = 437
_RESOLVE_IN_ROOT = 0x10
_RESOLVE_NO_MAGICLINKS = 0x02

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: Path | int, path: str, flags: int = os.O_RDONLY) -> int:
    """
    A descriptor of `path` below `root`, a directory by name or by descriptor. Raises OSError.

    Absolute paths and links start at the root, `..` ends there.
    """
    held = root if isinstance(root, int) else os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        fd = _libc.syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_int(held),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
    finally:
        if not isinstance(root, int):
            os.close(held)
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot open {path} in {root}: {os.strerror(code)}")
    return int(fd)
