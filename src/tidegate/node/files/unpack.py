"""
A tar stream, as hostile input, into a directory.

Names are taken apart; each is opened beneath the directory, step by step, by openat2(2): no `..`, no link, nothing that
is exchanged meanwhile leads out. A link in the way of a directory is an error, not followed. What replaces a file is a
new one, so that whoever has the old one open keeps it; a file that is a mount point is written in place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tidegate.kernel.inroot import open_beneath
from tidegate.model.session import CopyReport
from tidegate.node.files.pack import CHUNK_BYTES, DEEPEST, MOST_ENTRIES, CopyFailure, printable
from tidegate.node.image.tarstream import (
    DIRECTORY,
    HARD_LINK,
    REGULAR,
    SYMLINK,
    Entry,
    TarError,
    TarReader,
)

_PLACE = os.O_PATH | os.O_DIRECTORY
_LONGEST_NAME = 4096
_MOST_TIMED = 100_000
"""Directories whose mode and time are set at the end, when nothing is written to them any more."""

Parts = tuple[bytes, ...]


@dataclass(slots=True)
class Unpacker:
    """
    directory: a descriptor of where to. rename: what the one top entry of the archive is to be called; None: as it is.

    Modes and times are kept, owners as far as we may.
    """

    directory: int
    rename: bytes | None = None
    files: int = 0
    size_bytes: int = 0
    _top: bytes | None = None
    _entries: int = 0
    _directories: dict[Parts, Entry] = field(default_factory=dict)

    def unpack(self, read: Callable[[int], bytes]) -> CopyReport:
        """
        `read(n)` gives exactly n bytes, fewer at the end only.

        What was unpacked before an error stays. Raises CopyFailure, OSError.
        """
        archive = TarReader(read)
        try:
            for entry in archive:
                self._entries += 1
                if self._entries > MOST_ENTRIES:
                    raise CopyFailure(f"cannot unpack: more than {MOST_ENTRIES} entries")
                self._take(entry, archive)
        except TarError as error:
            raise CopyFailure(str(error)) from error
        self._finish_directories()
        return CopyReport(files=self.files, size_bytes=self.size_bytes)

    def _take(self, entry: Entry, archive: TarReader) -> None:
        parts = self._place(entry.name)
        if not parts:
            return  # the directory itself
        parent = self._open_parent(parts[:-1])
        try:
            match entry.kind:
                case b"5":
                    self._make_directory(parent, parts, entry)
                case b"0":
                    self._write_file(parent, parts[-1], entry, archive)
                case b"2":
                    _make_way(parent, parts[-1])
                    os.symlink(entry.link, parts[-1], dir_fd=parent)
                    self.files += 1
                    _own(lambda: os.chown(parts[-1], entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False))
                case b"1":
                    self._link(parent, parts[-1], entry)
                case _:
                    raise CopyFailure(f"cannot unpack {_show(entry.name)}: it is a device or a pipe")
        except OSError as error:
            raise CopyFailure(f"cannot write {_show(b'/'.join(parts))}: {os.strerror(error.errno or 0)}") from error
        finally:
            os.close(parent)

    def _place(self, name: bytes) -> Parts:
        if len(name) > _LONGEST_NAME:
            raise CopyFailure(f"cannot unpack: a name of {len(name)} bytes")
        parts = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
        if b".." in parts or b"\0" in name or len(parts) > DEEPEST:
            raise CopyFailure(f"cannot unpack {_show(name)}: it leads out of the directory, or too deep")
        if self.rename is None or not parts:
            return parts
        if self._top is None:
            self._top = parts[0]
        if parts[0] != self._top:
            raise CopyFailure(f"cannot unpack {_show(name)}: the archive has more than one top entry")
        return (self.rename, *parts[1:])

    def _open_parent(self, parts: Parts) -> int:
        if not parts:
            return os.dup(self.directory)
        path = b"/".join(parts)
        try:
            return open_beneath(self.directory, path, _PLACE)
        except FileNotFoundError:
            above = self._open_parent(parts[:-1])
            try:
                with suppress(FileExistsError):
                    os.mkdir(parts[-1], 0o755, dir_fd=above)
            finally:
                os.close(above)
            return open_beneath(self.directory, path, _PLACE)
        except OSError as error:
            why = "a symbolic link is in the way" if error.errno == errno.ELOOP else os.strerror(error.errno or 0)
            raise CopyFailure(f"cannot unpack into {_show(path)}: {why}") from error

    def _make_directory(self, parent: int, parts: Parts, entry: Entry) -> None:
        try:
            os.mkdir(parts[-1], 0o700, dir_fd=parent)
        except FileExistsError:
            fd = os.open(parts[-1], _PLACE | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            os.close(fd)
        if len(self._directories) < _MOST_TIMED:
            self._directories[parts] = entry

    def _write_file(self, parent: int, name: bytes, entry: Entry, archive: TarReader) -> None:
        fd = _create(parent, name)
        try:
            written = _fill(fd, entry, archive)
            _own(lambda: os.fchown(fd, entry.uid, entry.gid))
            os.fchmod(fd, entry.mode)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)
        self.files += 1
        self.size_bytes += written

    def _link(self, parent: int, name: bytes, entry: Entry) -> None:
        target = self._place(entry.link)
        if not target:
            raise CopyFailure(f"cannot unpack {_show(entry.name)}: it is a link to the directory itself")
        place = self._open_parent(target[:-1])
        try:
            _make_way(parent, name)
            os.link(target[-1], name, src_dir_fd=place, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(place)
        self.files += 1

    def _finish_directories(self) -> None:
        """The deepest first: what is done in one changes the time of the one above."""
        for parts in sorted(self._directories, key=len, reverse=True):
            entry = self._directories[parts]
            with suppress(OSError, CopyFailure):
                place = open_beneath(self.directory, b"/".join(parts), os.O_RDONLY | os.O_DIRECTORY)
                try:
                    _own(lambda place=place, entry=entry: os.fchown(place, entry.uid, entry.gid))  # type: ignore[misc]
                    os.fchmod(place, entry.mode)
                    os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns))
                finally:
                    os.close(place)


def _create(parent: int, name: bytes) -> int:
    """A new file, or the one that is mounted there, emptied."""
    try:
        _make_way(parent, name)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            if not stat.S_ISREG(os.fstat(place).st_mode):
                raise
            return os.open(f"/proc/self/fd/{place}", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        finally:
            os.close(place)
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent)


def _make_way(parent: int, name: bytes) -> None:
    """For what is no directory. Raises OSError (EISDIR where a directory is in the way)."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _fill(fd: int, entry: Entry, archive: TarReader) -> int:
    """Bytes written."""
    pieces = entry.sparse if entry.sparse is not None else [(0, entry.size)]
    for offset, length in pieces:
        os.lseek(fd, offset, os.SEEK_SET)
        left = length
        while left:
            data = archive.read_data(min(left, CHUNK_BYTES))
            if not data:
                raise CopyFailure(f"cannot unpack {_show(entry.name)}: it is shorter than it says")
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            left -= len(data)
    if entry.sparse is not None:
        os.ftruncate(fd, entry.size)
    return sum(length for _, length in pieces)


def _own(change: Callable[[], None]) -> None:
    """Owners are kept as far as we may, and as far as the file system has them."""
    with suppress(PermissionError):
        change()


def _show(name: bytes) -> str:
    return printable(name.decode(errors="surrogateescape"))


assert (REGULAR, HARD_LINK, SYMLINK, DIRECTORY) == (b"0", b"1", b"2", b"5"), "the kinds that _take tells apart"
