"""Gives the disk blocks of a file's beginning back while its writer goes on appending, by fallocate(2)."""

from __future__ import annotations

import ctypes
import os

BLOCK_BYTES = 4096
_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02

_libc = ctypes.CDLL(None, use_errno=True)


def punch_hole(fd: int, start: int, end: int) -> None:
    """
    Free the whole blocks between two offsets; they read as zeros, the file keeps its size.

    Raises OSError (EOPNOTSUPP where the file system can't).
    """
    start = -(-start // BLOCK_BYTES) * BLOCK_BYTES
    length = end // BLOCK_BYTES * BLOCK_BYTES - start
    if length <= 0:
        return
    flags = ctypes.c_int(_PUNCH_HOLE | _KEEP_SIZE)
    if _libc.fallocate(ctypes.c_int(fd), flags, ctypes.c_int64(start), ctypes.c_int64(length)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot free blocks: {os.strerror(code)}")
