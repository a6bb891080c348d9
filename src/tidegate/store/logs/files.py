"""Open files of many streams: few at a time, the ones used last. Any thread may use it."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class _Open:
    fd: int
    users: int = 0
    is_dropped: bool = False


class FileCache:
    """Keeps at most `limit` file descriptors open, beside those in use."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._files: OrderedDict[Path, _Open] = OrderedDict()
        self._unsynced: set[Path] = set()

    def __len__(self) -> int:
        return len(self._files)

    @contextmanager
    def use(self, path: Path, *, is_new: bool = False) -> Iterator[int]:
        """A descriptor for reading and writing, good inside. Raises OSError; `is_new` makes the file."""
        with self._lock:
            file = self._files.get(path)
            if file is None:
                flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if is_new else 0)
                file = self._files[path] = _Open(os.open(path, flags, 0o600))
            file.users += 1
            self._files.move_to_end(path)
        try:
            yield file.fd
        finally:
            with self._lock:
                file.users -= 1
                if file.is_dropped and not file.users:
                    os.close(file.fd)
                self._shrink()

    def note_written(self, paths: Iterable[Path]) -> None:
        """Files and directories that have to be synced."""
        with self._lock:
            self._unsynced.update(paths)

    def take_unsynced(self) -> list[Path]:
        """What has to be synced; the caller does it, or notes it again."""
        with self._lock:
            taken, self._unsynced = list(self._unsynced), set()
        return taken

    def discard(self, path: Path) -> None:
        """Close the file, and forget that it was written."""
        with self._lock:
            self._unsynced.discard(path)
            file = self._files.pop(path, None)
            if file is not None:
                self._drop(file)

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for file in self._files.values():
                self._drop(file)
            self._files.clear()

    def _shrink(self) -> None:
        for path in list(self._files) if len(self._files) > self._limit else ():
            if len(self._files) > self._limit and not self._files[path].users:
                self._drop(self._files.pop(path))

    def _drop(self, file: _Open) -> None:
        file.is_dropped = True
        if not file.users:
            os.close(file.fd)


def sync_paths(paths: list[Path]) -> None:
    """Wait until the files and directories are on the disk; those that are gone need not be. Raises OSError."""
    for path in paths:
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
