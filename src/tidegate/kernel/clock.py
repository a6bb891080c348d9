"""How far the host's clock may be off, as the kernel has it from whoever keeps it right: adjtimex(2)."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_TIME_ERROR = 5
_UNSYNCHRONIZED = 0x40


class _Timex(ctypes.Structure):
    """struct timex, as far as it is read; the padding is more than the rest takes on any machine."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("most_error_microseconds", ctypes.c_long),
        ("estimated_error_microseconds", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True, slots=True)
class ClockState:
    """bound_milliseconds: the clock is at most so far from the true time; grows while nobody sets it right."""

    bound_milliseconds: float
    is_synchronized: bool


_libc = ctypes.CDLL(None, use_errno=True)


def read_clock() -> ClockState:
    """Changes nothing, and needs no privilege. Raises OSError."""
    timex = _Timex(modes=0)
    result = _libc.adjtimex(ctypes.byref(timex))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot read the state of the clock: {os.strerror(code)}")
    is_synchronized = result != _TIME_ERROR and not timex.status & _UNSYNCHRONIZED
    return ClockState(timex.most_error_microseconds / 1000, is_synchronized)
