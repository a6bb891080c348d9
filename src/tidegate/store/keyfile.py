"""
The file of the master keys: which there are, and which of them is used for what is sealed next.

One key is 32 bytes as they are. While a key is being replaced the file has one a line, in hex, the new one first. It is
always swapped in whole, so a crash leaves the old file or the new one; and a key goes out of it only when nothing is
sealed with it any more.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

from tidegate.store.store import StoreError

KEY_BYTES = 32
MAX_KEYS = 8
_ID_BYTES = 8
_LINE_BYTES = 2 * KEY_BYTES + 1
_DRAFT_BYTES = 8


class SecretError(StoreError):
    """The master key can't be used, or a sealed text is not what it should be."""


def identify(key: bytes) -> bytes:
    """8 bytes by which sealed texts name their key; they tell nothing of it."""
    return hashlib.sha256(b"tidegate master key\0" + key).digest()[:_ID_BYTES]


class KeyFile:
    """Reads and writes the file at `path`. Errors of the disk are OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ensure(self) -> tuple[bytes, ...]:
        """
        The keys, the current one first; the file is made at first use, with mode 0600.

        Raises SecretError if others may read the file, or if it does not hold keys.
        """
        try:
            return self._read()
        except FileNotFoundError:
            return self._make()

    def add(self) -> tuple[bytes, ...]:
        """Put a new key before the others; all keys, durable. Raises SecretError when there are too many already."""
        keys = self._read()
        if len(keys) >= MAX_KEYS:
            raise SecretError(
                f"cannot add a master key: there are {len(keys)} already; let their replacement end first"
            )
        keys = (secrets.token_bytes(KEY_BYTES), *keys)
        self._swap(keys)
        return keys

    def keep_first(self) -> tuple[bytes, ...]:
        """Drop all keys but the current one."""
        keys = self._read()[:1]
        self._swap(keys)
        return keys

    def remove_drafts(self) -> None:
        """What a crash left of a file that was being written. For the owner of the state, at its start."""
        for path in self._path.parent.glob(f"{self._path.name}.*"):
            if len(path.suffix) == 2 * _DRAFT_BYTES + 1:
                path.unlink(missing_ok=True)

    def _read(self) -> tuple[bytes, ...]:
        fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.fstat(fd).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SecretError(f"cannot use the master key {self._path}: others may read it; run chmod 600 on it")
            data = os.read(fd, MAX_KEYS * _LINE_BYTES + 1)
        finally:
            os.close(fd)
        return self._parse(data)

    def _parse(self, data: bytes) -> tuple[bytes, ...]:
        if len(data) == KEY_BYTES:
            return (data,)
        if not data or len(data) % _LINE_BYTES:
            raise SecretError(f"cannot use the master key {self._path}: it has {len(data)} bytes, not {KEY_BYTES}")
        try:
            keys = tuple(bytes.fromhex(line) for line in data.decode("ascii").splitlines())
        except ValueError:
            keys = ()
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise SecretError(f"cannot use the master keys {self._path}: each line has to be {KEY_BYTES} bytes in hex")
        return keys

    def _make(self) -> tuple[bytes, ...]:
        """Written whole under another name first, so that a crash leaves no half key; the first of rivals wins."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._write_draft((secrets.token_bytes(KEY_BYTES),))
        try:
            os.link(draft, self._path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync_directory(self._path.parent)
        return self._read()

    def _swap(self, keys: tuple[bytes, ...]) -> None:
        draft = self._write_draft(keys)
        try:
            os.rename(draft, self._path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        _sync_directory(self._path.parent)

    def _write_draft(self, keys: tuple[bytes, ...]) -> Path:
        data = keys[0] if len(keys) == 1 else b"".join(key.hex().encode() + b"\n" for key in keys)
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(_DRAFT_BYTES)}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.write(fd, data) != len(data):
                raise OSError(f"cannot write {draft} whole")
            os.fsync(fd)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return draft


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
