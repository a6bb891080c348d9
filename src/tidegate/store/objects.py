"""
Objects of S3, as files of a directory: BUCKET/KEY.

There is no S3 service; whoever runs the server puts the files there. Nothing outside the directory is ever opened: each
part of a key is opened from the directory before it, and no symbolic link is followed.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

MAX_BYTES = 1 << 20
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_MAX_KEY_BYTES = 1024


class ObjectMissing(Exception):
    """There is no such object. `code` is S3's; the message tells why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ObjectDirectory:
    """Reads objects below `root`, which need not be there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, bucket: str, key: str) -> bytes:
        """The whole object, of at most a MiB. Raises ObjectMissing."""
        parts = key.split("/")
        is_name = len(key.encode()) <= _MAX_KEY_BYTES and "\0" not in key
        if not is_name or any(part in ("", ".", "..") for part in parts):
            raise ObjectMissing("NoSuchKey", "The specified key does not exist.")
        if not _BUCKET.fullmatch(bucket):
            raise ObjectMissing("NoSuchBucket", "The specified bucket does not exist")
        directory = self._open_bucket(bucket)
        try:
            return _read_below(directory, parts)
        except OSError:
            raise ObjectMissing("NoSuchKey", "The specified key does not exist.") from None

    def _open_bucket(self, bucket: str) -> int:
        """The descriptor of a bucket's directory."""
        try:
            root = os.open(self._root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                return _open_at(root, bucket, os.O_PATH | os.O_DIRECTORY)
            finally:
                os.close(root)
        except OSError:
            raise ObjectMissing("NoSuchBucket", "The specified bucket does not exist") from None


def _read_below(directory: int, parts: list[str]) -> bytes:
    """Closes `directory`. Raises OSError, ObjectMissing."""
    try:
        for part in parts[:-1]:
            below = _open_at(directory, part, os.O_PATH | os.O_DIRECTORY)
            os.close(directory)
            directory = below
        file = _open_at(directory, parts[-1], os.O_RDONLY | os.O_NONBLOCK)
    finally:
        os.close(directory)
    with os.fdopen(file, "rb") as opened:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a file")
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ObjectMissing("EntityTooLarge", f"The object is larger than {MAX_BYTES} bytes.")
    return data


def _open_at(directory: int, name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
