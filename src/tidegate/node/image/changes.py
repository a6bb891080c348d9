"""
What a container changed in its root file system, read from the upper directory of its overlay.

    list_changed_files(upper, limit)      to be called before the layer is deleted: once the task's disk is given back
                                          there is nothing to read any more

overlayfs (Documentation/filesystems/overlayfs.rst) leaves there: a copy of each file that was changed, marked with
where it came from (`trusted.overlay.origin`); each new file, without that mark; a character device 0:0 for what was
deleted; and `trusted.overlay.opaque` on a directory that hides the image's of the same name. The names are the
container's: hostile input, walked up to a limit and never followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Change = Literal["added", "changed", "deleted"]
Kind = Literal["file", "directory", "symlink", "device", "fifo", "socket", "unknown"]

VISITED_LIMIT = 50_000
"""Entries that are looked at, listed or not: about a quarter of a second."""

_ORIGIN, _OPAQUE = "trusted.overlay.origin", "trusted.overlay.opaque"
_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file. A file that was replaced by a rename counts as added: overlayfs does not tell it from a new one."""

    path: str
    """As in the container, absolute; bytes that are no UTF-8 as backslash escapes."""
    change: Change
    kind: Kind
    """`unknown` for what was deleted."""
    size_bytes: int = 0
    """Of files; 0 for all else."""
    modified_at: float = 0.0
    """Seconds since the epoch; 0 for what was deleted."""


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """What was found, in the order of the paths within each directory."""

    files: tuple[ChangedFile, ...]
    is_whole: bool
    """Nothing was left out for a limit, or could not be read."""
    written_bytes: int
    """Sizes of all files that were looked at, listed or not."""


def list_changed_files(upper: Path, limit: int) -> ChangedFiles:
    """
    Up to `limit` files that were added, changed or deleted; none if there is no such directory.

    upper: `upper` beside the root file system's mount, mounted or not. Blocks for a quarter of a second at most on a
    warm disk: call it in a thread. A directory is listed if it is new; the entries of one that is gone are not told.
    """
    walk = _Walk(limit)
    walk.look(upper)
    return ChangedFiles(tuple(walk.files), walk.is_whole, walk.written_bytes)


class _Walk:
    def __init__(self, limit: int) -> None:
        self.files: list[ChangedFile] = []
        self.is_whole = True
        self.written_bytes = 0
        self._limit = limit
        self._visited = 0

    def look(self, upper: Path) -> None:
        prefix = len(os.fsencode(upper))
        waiting = [os.fsencode(upper)]
        while waiting:
            inner = []
            for entry in self._entries(waiting.pop()):
                if self._visited >= VISITED_LIMIT:
                    self.is_whole = False
                    return
                self._visited += 1
                if self._take(entry, entry.path[prefix:]):
                    inner.append(entry.path)
            waiting += reversed(inner)

    def _entries(self, directory: bytes) -> Iterator[os.DirEntry[bytes]]:
        """In order; a directory that can't be read (its path is too long, it is just going) is left out."""
        try:
            with os.scandir(directory) as entries:
                # Sorted within the limit: a directory of a million entries is not held whole.
                found = [entry for entry, _ in zip(entries, range(VISITED_LIMIT + 1), strict=False)]
        except OSError:
            self.is_whole = False
            return iter(())
        return iter(sorted(found, key=lambda entry: entry.name))

    def _take(self, entry: os.DirEntry[bytes], path: bytes) -> bool:
        """Note one entry; whether there is more below it."""
        try:
            status = entry.stat(follow_symlinks=False)
            change = _change(entry.path, status)
        except OSError:
            self.is_whole = False
            return False
        is_directory = stat.S_ISDIR(status.st_mode)
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        self.written_bytes += size
        if is_directory and change == "changed":
            return True
        if len(self.files) >= self._limit:
            self.is_whole = False
            return is_directory
        shown = path.decode(errors="backslashreplace")
        if change == "deleted":
            self.files.append(ChangedFile(shown, change, "unknown"))
        else:
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "unknown")
            self.files.append(ChangedFile(shown, change, kind, size, status.st_mtime))
        return is_directory


def _change(path: bytes, status: os.stat_result) -> Change:
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return "deleted"
    if _attribute(path, _OPAQUE) == b"y":
        return "added"
    return "added" if _attribute(path, _ORIGIN) is None else "changed"


def _attribute(path: bytes, name: str) -> bytes | None:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return None
