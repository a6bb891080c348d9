"""
A file system in memory that is mounted nowhere: it is reached by a descriptor, and gone with the last one.

Whoever holds the descriptor can look into it, and nowhere else: `..` at its top leads to its top, since there is
nothing above it. Made by fsopen(2) and fsmount(2), Linux 5.2.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

_SYS_FSOPEN = 430
_SYS_FSCONFIG = 431
_SYS_FSMOUNT = 432
_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_SET_FLAG = 0
_SET_STRING = 1
_CREATE = 6
_RECONFIGURE = 7
_NO_SUID_NO_DEVICES = 0x2 | 0x4

_libc = ctypes.CDLL(None, use_errno=True)


def create_sealed_mount(size_bytes: int, fill: Callable[[int], None]) -> int:
    """
    Make a file system, let `fill` write into it by a descriptor of its top, and make it read-only for good.

    Returns a descriptor of its top, close-on-exec. The file system itself is read-only, not just the way to it: root
    can't write to it either. Raises OSError (ENOSYS or EPERM where the kernel hasn't got it or doesn't let us).
    """
    system = _call(_SYS_FSOPEN, ctypes.c_char_p(b"tmpfs"), ctypes.c_uint(_FSOPEN_CLOEXEC))
    try:
        _configure(system, _SET_STRING, b"size", str(size_bytes).encode())
        _configure(system, _SET_STRING, b"mode", b"755")
        _configure(system, _CREATE)
        flags, attributes = ctypes.c_uint(_FSMOUNT_CLOEXEC), ctypes.c_uint(_NO_SUID_NO_DEVICES)
        top = _call(_SYS_FSMOUNT, ctypes.c_int(system), flags, attributes)
        try:
            fill(top)
            _configure(system, _SET_FLAG, b"ro")
            _configure(system, _RECONFIGURE)
        except BaseException:
            os.close(top)
            raise
    finally:
        os.close(system)
    return top


def _configure(system: int, command: int, key: bytes | None = None, value: bytes | None = None) -> None:
    _call(
        _SYS_FSCONFIG,
        ctypes.c_int(system),
        ctypes.c_uint(command),
        ctypes.c_char_p(key),
        ctypes.c_char_p(value),
        ctypes.c_int(0),
    )


def _call(number: int, *arguments: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot make a file system in memory: {os.strerror(code)}")
    return int(result)
