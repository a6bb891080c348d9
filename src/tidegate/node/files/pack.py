"""
A file or a directory as a tar stream.

Each entry is opened as a mere place first (O_PATH), without following links, and looked at; only what is a regular file
then is opened by that very descriptor. So a device is never opened, a name that is exchanged in between leads nowhere,
and a named pipe holds nobody up.
"""

from __future__ import annotations

import ctypes
import os
import stat
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate.model.session import CopyReport

CHUNK_BYTES = 64 * 1024
MOST_ENTRIES = 1_000_000
MOST_SKIPPED = 100
DEEPEST = 200
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_PSEUDO = frozenset({0x9FA0, 0x62656572, 0x27E0EB, 0x63677270, 0x1CD1, 0x19800202, 0x64626720, 0x74726163, 0x6E736673})
"""File systems that hold no files: proc, sysfs, cgroup (both), devpts, mqueue, debugfs, tracefs, nsfs."""
_libc = ctypes.CDLL(None, use_errno=True)


class CopyFailure(Exception):
    """It can't be copied; the message names what and why."""


@dataclass(slots=True)
class Packer:
    """
    Packs one tree. `send` gets its bytes in pieces of at most CHUNK_BYTES.

    Ownership, modes, times, links and hard links are kept; extended attributes are not.
    """

    send: Callable[[bytes], None]
    files: int = 0
    size_bytes: int = 0
    _skipped: list[str] = field(default_factory=list)
    _waiting: bytearray = field(default_factory=bytearray)
    _entries: int = 0
    _linked: dict[tuple[int, int], str] = field(default_factory=dict)

    def pack(self, place: int, name: str) -> CopyReport:
        """
        place: a descriptor (O_PATH is enough) of what is to be packed, as `name`. Raises CopyFailure, OSError.
        """
        self._add(place, name, 0)
        self._put(_END)
        self._flush()
        return CopyReport(files=self.files, size_bytes=self.size_bytes, skipped=tuple(self._skipped))

    def _add(self, place: int, name: str, depth: int) -> None:
        self._entries += 1
        if self._entries > MOST_ENTRIES or depth > DEEPEST:
            raise CopyFailure(f"cannot copy {name}: too {'deep' if depth > DEEPEST else 'many files'}")
        status = os.fstat(place)
        info = _info(name, status)
        if stat.S_ISREG(status.st_mode):
            self._add_file(place, info, status)
        elif stat.S_ISDIR(status.st_mode):
            self._add_directory(place, info, depth)
        elif stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink("", dir_fd=place)
            self._head(info)
            self.files += 1
        else:
            self._skip(name, "is no file: a device, a socket or a pipe")

    def _add_file(self, place: int, info: tarfile.TarInfo, status: os.stat_result) -> None:
        if _is_pseudo(place):
            self._skip(info.name, "is made up by the kernel")
            return
        key = (status.st_dev, status.st_ino)
        self.files += 1
        if status.st_nlink > 1 and key in self._linked:
            info.type, info.linkname = tarfile.LNKTYPE, self._linked[key]
            self._head(info)
            return
        if status.st_nlink > 1:
            self._linked[key] = info.name
        fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            info.size = status.st_size
            self._head(info)
            self._data(fd, info.size)
        finally:
            os.close(fd)

    def _data(self, fd: int, size: int) -> None:
        """Exactly so many bytes, whatever the file does meanwhile: cut off, or filled up with zeros."""
        left = size
        while left:
            data = os.read(fd, min(left, CHUNK_BYTES)) or bytes(min(left, CHUNK_BYTES))
            self._put(data)
            left -= len(data)
        self.size_bytes += size
        if size % _BLOCK:
            self._put(bytes(_BLOCK - size % _BLOCK))

    def _add_directory(self, place: int, info: tarfile.TarInfo, depth: int) -> None:
        if _is_pseudo(place):
            self._skip(info.name, "is made up by the kernel")
            return
        info.type = tarfile.DIRTYPE
        self._head(info)
        directory = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for entry in sorted(os.listdir(directory)):
                try:
                    inner = os.open(entry, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
                except FileNotFoundError:
                    continue  # it went meanwhile
                try:
                    self._add(inner, f"{info.name}/{entry}", depth + 1)
                finally:
                    os.close(inner)
        finally:
            os.close(directory)

    def _head(self, info: tarfile.TarInfo) -> None:
        self._put(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _put(self, data: bytes) -> None:
        """Headers and small files go together."""
        self._waiting += data
        if len(self._waiting) >= CHUNK_BYTES:
            self._flush()

    def _flush(self) -> None:
        whole = bytes(self._waiting)
        self._waiting.clear()
        for start in range(0, len(whole), CHUNK_BYTES):
            self.send(whole[start : start + CHUNK_BYTES])

    def _skip(self, name: str, why: str) -> None:
        if len(self._skipped) < MOST_SKIPPED:
            self._skipped.append(f"{printable(name)} {why}")


def _info(name: str, status: os.stat_result) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid = status.st_uid, status.st_gid
    info.mtime = status.st_mtime_ns // 1_000_000_000
    return info


def _is_pseudo(fd: int) -> bool:
    """fstatfs(2): f_type is its first word."""
    buffer = (ctypes.c_long * 32)()
    return _libc.fstatfs(ctypes.c_int(fd), ctypes.byref(buffer)) == 0 and (buffer[0] & 0xFFFFFFFF) in _PSEUDO


def printable(name: str) -> str:
    """A hostile name, for messages."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace").translate(_CONTROLS)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
