"""
Fills a new volume with what an image has at the path where it is mounted, as docker does.

Both sides are hostile: the image's files may be anything, and another container of the task may already write to the
volume. So nothing is looked up by a path: every step is one name in a directory that is held open, and no link is
followed. What is there already stays, unless a fill that a crash cut short is being done again.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from tidegate.kernel.inroot import open_in_root

_DIRECTORY = os.O_DIRECTORY | os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_ZEROS = bytes(_CHUNK)
MOST_ZEROS_BYTES = 4 << 30
"""Of one file: read in ten seconds."""
_DEPTH = 300
"""More than a layer may have (`image.layertree`), and few enough for two descriptors each."""


def fill_volume(rootfs: Path, path: str, volume: Path, *, is_again: bool = False) -> None:
    """
    Copy owner, mode and contents of `path` in a root file system to a directory; nothing if it is no directory there.

    Only an empty directory is filled, unless `is_again`: then what is in the way is replaced. Raises OSError.
    """
    try:
        source = open_in_root(rootfs, path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        target = os.open(volume, _DIRECTORY)
        try:
            if is_again or not os.listdir(target):
                _Copier(is_again).copy(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


class _Copier:
    def __init__(self, is_again: bool) -> None:
        self._is_again = is_again
        self._depth = 0

    def copy(self, source: int, target: int) -> None:
        """All of a directory, and what it is itself."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise OSError("cannot fill a volume: its directories are nested too deeply")
        for name in os.listdir(source):
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                self._copy_directory(name, source, target)
            else:
                self._copy_file(name, status, source, target)
        _describe(target, source, os.fstat(source))
        self._depth -= 1

    def _copy_directory(self, name: str, source: int, target: int) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=target)
        inner = os.open(name, _DIRECTORY, dir_fd=source)
        try:
            try:
                made = os.open(name, _DIRECTORY, dir_fd=target)
            except OSError:
                return  # another container of the task has put something else there
            try:
                self.copy(inner, made)
            finally:
                os.close(made)
        finally:
            os.close(inner)

    def _copy_file(self, name: str, status: os.stat_result, source: int, target: int) -> None:
        if self._is_again:
            with suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(name, dir_fd=target)
        with suppress(FileExistsError):
            if stat.S_ISREG(status.st_mode):
                _copy_regular(name, status, source, target)
            elif stat.S_ISLNK(status.st_mode):
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
                os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
            else:
                os.mknod(name, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev, dir_fd=target)
                os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
                _change_mode(name, stat.S_IMODE(status.st_mode), target)


def _copy_regular(name: str, status: os.stat_result, source: int, target: int) -> None:
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writing = os.open(name, flags, 0o600, dir_fd=target)
        try:
            _copy_contents(reading, writing, status.st_size)
            _describe(writing, reading, status)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_contents(reading: int, writing: int, size: int) -> None:
    """
    Holes and zeros stay holes: a file of nothing else takes no room.

    Where the image's file system can't tell holes they are read, up to a limit: an image must not keep us reading for
    hours. Raises OSError.
    """
    at = zeros = 0
    while at < size:
        try:
            at = os.lseek(reading, at, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole up to the end
            break
        data = os.pread(reading, _CHUNK, at)
        if not data:
            break
        if data != _ZEROS[: len(data)]:
            _write(writing, data, at)
        elif (zeros := zeros + len(data)) > MOST_ZEROS_BYTES:
            raise OSError(errno.EFBIG, "cannot fill a volume: a file of the image is mostly empty")
        at += len(data)
    os.ftruncate(writing, size)


def _write(writing: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(writing, view, at)
        view, at = view[count:], at + count


def _describe(target: int, source: int, status: os.stat_result) -> None:
    """In this order: a change of owner takes setuid bits and capabilities away, and everything touches the times."""
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source):
        if name.startswith(("user.", "security.capability", "system.posix_acl_")):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _change_mode(name: str, mode: int, directory: int) -> None:
    """Of a device or a fifo: by a descriptor that does not open it, so that what it has become since is not touched."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not stat.S_ISLNK(os.fstat(fd).st_mode):
            os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)
