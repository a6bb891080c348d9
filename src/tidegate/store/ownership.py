"""One process owns a store: a lock that the kernel lets go of when the owner dies, and files that are ours alone."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from tidegate.store.store import StoreError


class StoreInUse(StoreError):
    """Another process owns the store."""


def ensure_private_directory(directory: Path) -> None:
    """Make the directory with mode 0700. Raises StoreError if others may write to one that exists."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(f"cannot keep state in {directory}: others may write to it; run chmod 700 on it")


def ensure_private_file(path: Path) -> None:
    """Make the file with mode 0600, or give that mode to the one that exists."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def take_lock(path: Path) -> int:
    """
    Own what the lock file at `path` stands for until the returned file descriptor is closed.

    Raises StoreInUse, with the owner's process id.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise StoreInUse(
            f"cannot open the store in {path.parent}: process {owner} uses it; stop that server, or use another"
            " state directory"
        ) from None
    except BaseException:
        os.close(fd)
        raise
    return fd
