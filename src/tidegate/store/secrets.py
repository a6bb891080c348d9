"""
Secrets at rest: sealed with AES-256-GCM under a master key that lies in a file of its own.

A sealed text is bound to a context (which record it belongs to), so that one can't be put in another's place.

    sealed = version (1 byte, 1) | nonce (12 bytes, random) | ciphertext | tag (16 bytes)
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tidegate.store.store import StoreError

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


class SecretError(StoreError):
    """The master key can't be used, or a sealed text is not what it should be."""


class Sealer:
    """Seals and unseals with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def open(cls, path: Path) -> Sealer:
        """
        With the master key in the file at `path`, which is made at first use with mode 0600.

        Raises SecretError if others may read the file, or if it does not hold a key.
        """
        try:
            return cls(_read_key(path))
        except FileNotFoundError:
            return cls(_make_key(path))

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt; two sealed texts never look the same."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plaintext, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed with this context. Raises SecretError if it was another, or anything was changed."""
        if sealed[:1] != _VERSION or len(sealed) <= 1 + _NONCE_BYTES:
            raise SecretError("cannot unseal a secret: it is in a format that this version does not know")
        nonce = sealed[1 : 1 + _NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, sealed[1 + _NONCE_BYTES :], context)
        except InvalidTag:
            raise SecretError("cannot unseal a secret: the master key is not the one it was sealed with") from None


def _read_key(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if os.fstat(fd).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretError(f"cannot use the master key {path}: others may read it; run chmod 600 on it")
        key = os.read(fd, KEY_BYTES + 1)
    finally:
        os.close(fd)
    if len(key) != KEY_BYTES:
        raise SecretError(f"cannot use the master key {path}: it has {len(key)} bytes, not {KEY_BYTES}")
    return key


def _make_key(path: Path) -> bytes:
    """Written whole under another name first, so that a crash leaves no half key; the first of rivals wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, secrets.token_bytes(KEY_BYTES))
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return _read_key(path)
