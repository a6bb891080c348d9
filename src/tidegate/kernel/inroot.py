"""openat2(2): paths that others wrote, held to a directory in one system call, so that none leads out of it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_SYS_OPENAT2 = 437
_NO_MAGIC_LINKS = 0x02
_NO_SYMLINKS = 0x04
_BENEATH = 0x08
_IN_ROOT = 0x10

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
        return _openat2(held, os.fsencode(path), flags, _IN_ROOT | _NO_MAGIC_LINKS, str(root))
    finally:
        if not isinstance(root, int):
            os.close(held)


def open_beneath(directory: int, path: bytes, flags: int) -> int:
    """
    A descriptor of `path` below `directory`, with no symbolic link on the way. Raises OSError.

    EXDEV where it would lead out, ELOOP where there is a link.
    """
    return _openat2(directory, path, flags, _BENEATH | _NO_MAGIC_LINKS | _NO_SYMLINKS, "the directory")


def _openat2(directory: int, path: bytes, flags: int, resolve: int, where: str) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    fd = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_int(directory),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot open {os.fsdecode(path)} in {where}: {os.strerror(code)}")
    return int(fd)
