"""Loop devices by ioctl (loop(4)): a file as a block device, without a process for it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_READ_ONLY, _AUTOCLEAR, _DIRECT_IO = 1, 4, 16
_MAJOR = 7
# struct loop_config: fd, block size, struct loop_info64 (lo_flags at 52 of its 232 bytes), 64 reserved bytes.
_CONFIG = struct.Struct("<II52xI176x64x")
_DIRECT_BLOCK = 4096
_TRIES = 50


def attach_loop(backing: int, *, is_read_only: bool) -> tuple[int, str]:
    """
    A loop device over an open file: (descriptor, path); it goes when its last user closes it. Raises OSError.

    A writable one passes reads and writes by the page cache of the file, where the file's file system can: what is on
    the device is cached once. Others take free devices at the same time, so the one found may be gone again.
    """
    flags = _AUTOCLEAR | (_READ_ONLY if is_read_only else _DIRECT_IO)
    config = _CONFIG.pack(backing, 0 if is_read_only else _DIRECT_BLOCK, flags)
    with open("/dev/loop-control", "rb+", buffering=0) as control:
        for _ in range(_TRIES):
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            fd, device = _open_device(number, os.O_RDONLY if is_read_only else os.O_RDWR)
            try:
                fcntl.ioctl(fd, _LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:
                    raise
                continue
            return fd, device
    raise OSError(errno.EBUSY, "cannot attach a loop device: others take them all")


def _open_device(number: int, flags: int) -> tuple[int, str]:
    device = f"/dev/loop{number}"
    try:
        return os.open(device, flags | os.O_CLOEXEC), device
    except FileNotFoundError:
        # Within a container /dev is no devtmpfs: what the kernel adds does not show there.
        os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(_MAJOR, number))
        return os.open(device, flags | os.O_CLOEXEC), device
