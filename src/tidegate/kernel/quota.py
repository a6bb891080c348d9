"""
Project quotas: a limit on all that is below a directory, on XFS and ext4 that are mounted with `prjquota`.

By FS_IOC_FSSETXATTR and quotactl_fd(2) (Linux 5.14), whose XFS commands ext4 understands as well.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from dataclasses import dataclass

_SYS_QUOTACTL_FD = 443
_PROJECT = 2
_GET_QUOTA, _SET_LIMIT = 0x5803, 0x5804
_GET_XATTR, _SET_XATTR = 0x801C581F, 0x401C5820
_INHERIT = 0x200
_FLAGS_PROJECT = 2
_HARD_INODES, _HARD_BLOCKS = 1 << 1, 1 << 3
_BLOCK_BYTES = 512
# struct fsxattr: flags, extent size, extents, project, CoW extent size, padding.
_XATTR = struct.Struct("=IIIII8x")
# struct fs_disk_quota: version, flags, which fields, id, hard and soft limits of blocks and of inodes, blocks and
# inodes in use; then timers, warnings and what belongs to realtime devices.
_QUOTA = struct.Struct("=bbHI6Q56x")

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ProjectUse:
    """Of one project, in bytes; limit_bytes 0: there is none."""

    used_bytes: int
    limit_bytes: int
    inodes: int


def find_project(directory: int) -> int:
    """The project that an open directory belongs to; 0: none. Raises OSError."""
    return int(_XATTR.unpack(fcntl.ioctl(directory, _GET_XATTR, bytes(_XATTR.size)))[3])


def set_project(directory: int, project: int) -> None:
    """Let an open directory, which is empty, and all that will be made in it belong to a project. Raises OSError."""
    flags, extent, extents, _, copied = _XATTR.unpack(fcntl.ioctl(directory, _GET_XATTR, bytes(_XATTR.size)))
    fcntl.ioctl(directory, _SET_XATTR, _XATTR.pack(flags | _INHERIT, extent, extents, project, copied))


def read_project(directory: int, project: int) -> ProjectUse:
    """What a project of a directory's file system uses and may use. Raises OSError (ENOENT: it was never used)."""
    answer = ctypes.create_string_buffer(_QUOTA.size)
    _quotactl(directory, _GET_QUOTA, project, answer)
    hard, _, _, _, used, inodes = _QUOTA.unpack(answer.raw)[4:]
    return ProjectUse(used * _BLOCK_BYTES, hard * _BLOCK_BYTES, inodes)


def limit_project(directory: int, project: int, limit_bytes: int, inodes: int) -> None:
    """Let a project use no more than this, from now on; 0: all there is. Raises OSError."""
    blocks = limit_bytes // _BLOCK_BYTES
    request = _QUOTA.pack(1, _FLAGS_PROJECT, _HARD_BLOCKS | _HARD_INODES, project, blocks, 0, inodes, 0, 0, 0)
    _quotactl(directory, _SET_LIMIT, project, ctypes.create_string_buffer(request, _QUOTA.size))


def _quotactl(directory: int, command: int, project: int, argument: ctypes.Array[ctypes.c_char]) -> None:
    result = _libc.syscall(
        ctypes.c_long(_SYS_QUOTACTL_FD),
        ctypes.c_uint(directory),
        ctypes.c_uint(command << 8 | _PROJECT),
        ctypes.c_uint(project),
        argument,
    )
    if result < 0:
        code = ctypes.get_errno()
        why = "the file system keeps no project quotas" if code == errno.ESRCH else os.strerror(code)
        raise OSError(code, f"cannot use a project quota: {why}")
