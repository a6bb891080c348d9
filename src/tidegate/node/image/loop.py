"""Loop devices by ioctl (loop(4)), for kernels that can't mount erofs from a file."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_READ_ONLY, _AUTOCLEAR = 1, 4
# struct loop_config: fd, block size, struct loop_info64 (lo_flags at 52 of its 232 bytes), 64 reserved bytes.
_CONFIG = struct.Struct("<II52xI176x64x")
_TRIES = 20


def attach_loop(file: Path) -> tuple[int, str]:
    """
    A read-only loop device over a file: (descriptor, path); it goes when the last user closes it. Raises OSError.

    Others take free devices at the same time, so the one found may be gone again.
    """
    with open("/dev/loop-control", "rb+", buffering=0) as control, open(file, "rb") as backing:
        for _ in range(_TRIES):
            device = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
            fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, _LOOP_CONFIGURE, _CONFIG.pack(backing.fileno(), 0, _READ_ONLY | _AUTOCLEAR))
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:
                    raise
                continue
            return fd, device
    raise OSError(errno.EBUSY, "cannot attach a loop device: others take them all")
