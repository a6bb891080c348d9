"""Open files of many streams: few at a time, the ones used last."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path


class FileCache:
    """Keeps at most `limit` file descriptors open."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._fds: OrderedDict[Path, int] = OrderedDict()
        self.unsynced: set[Path] = set()
        """Files and directories that were written since somebody last had them synced."""

    def __len__(self) -> int:
        return len(self._fds)

    def get(self, path: Path, *, is_new: bool = False) -> int:
        """A descriptor for reading and writing, good until the next call. Raises OSError; `is_new` makes the file."""
        fd = self._fds.get(path)
        if fd is not None:
            self._fds.move_to_end(path)
            return fd
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if is_new else 0)
        fd = self._fds[path] = os.open(path, flags, 0o600)
        if len(self._fds) > self._limit:
            os.close(self._fds.popitem(last=False)[1])
        return fd

    def discard(self, path: Path) -> None:
        """Close the file, and forget that it was written."""
        self.unsynced.discard(path)
        fd = self._fds.pop(path, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Close all files."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()


def sync_paths(paths: list[Path]) -> None:
    """Wait until the files and directories are on the disk; those that are gone need not be. Raises OSError."""
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
