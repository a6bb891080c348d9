"""Capabilities of the calling thread (capset(2)): what it may not do any more, others of the process still may."""

from __future__ import annotations

import ctypes
import os
import struct

CAP_SYS_RESOURCE = 24

_VERSION_3 = 0x20080522
# Two structs of effective, permitted and inheritable, for the lower and the upper 32 capabilities.
_DATA = struct.Struct("=6I")
_libc = ctypes.CDLL(None, use_errno=True)


def drop_effective(capability: int) -> None:
    """The calling thread does without it from now on. Raises OSError."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0))
    data = ctypes.create_string_buffer(_DATA.size)
    _check(_libc.capget(header, data))
    fields = list(_DATA.unpack(data.raw))
    fields[3 * (capability // 32)] &= ~(1 << capability % 32)
    _check(_libc.capset(header, ctypes.create_string_buffer(_DATA.pack(*fields), _DATA.size)))


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot change capabilities: {os.strerror(code)}")
