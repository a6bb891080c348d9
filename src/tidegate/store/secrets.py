"""
Secrets at rest: sealed with AES-256-GCM under a master key that lies in a file of its own.

A sealed text is bound to a context (which record it belongs to), so that one can't be put in another's place. It names
the key that it was sealed with: while the key is changed there are two, and both are good for reading.

    sealed = version (1 byte, 2) | key id (8 bytes) | nonce (12 bytes, random) | ciphertext | tag (16 bytes)

Version 1, which knew of one key only, has no key id; it is still read.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tidegate.store.keyfile import KEY_BYTES, KeyFile, SecretError, identify

__all__ = ["KEY_BYTES", "Sealer", "SecretError"]

_NONCE_BYTES = 12
_ID_BYTES = 8
_TAG_BYTES = 16
_WITHOUT_ID, _WITH_ID = b"\x01", b"\x02"


class Sealer:
    """Seals with the first of its keys, and unseals with any of them."""

    def __init__(self, *keys: bytes) -> None:
        self._ciphers = {identify(key): AESGCM(key) for key in keys}
        self._current = identify(keys[0])

    @classmethod
    def open(cls, path: Path) -> Sealer:
        """
        With the master keys in the file at `path`, which is made at first use with mode 0600.

        Raises SecretError if others may read the file, or if it does not hold a key.
        """
        return cls(*KeyFile(path).ensure())

    @property
    def current_key(self) -> bytes:
        """The id of the key that is sealed with."""
        return self._current

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The ids of all keys, the current one first."""
        return tuple(self._ciphers)

    def replace_keys(self, *keys: bytes) -> None:
        """From now on use these; they are in the key file already, since what is sealed next needs them."""
        self._ciphers = {identify(key): AESGCM(key) for key in keys}
        self._current = identify(keys[0])

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """
        Encrypt; two sealed texts never look the same.

        Commit what was sealed without waiting in between: a key that nothing is sealed with any more is dropped.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        head = _WITH_ID + self._current
        return head + nonce + self._ciphers[self._current].encrypt(nonce, plaintext, head + context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed with this context. Raises SecretError if it was another, or anything was changed."""
        if sealed[:1] == _WITH_ID and len(sealed) >= 1 + _ID_BYTES + _NONCE_BYTES + _TAG_BYTES:
            head, body = sealed[: 1 + _ID_BYTES], sealed[1 + _ID_BYTES :]
            cipher = self._ciphers.get(head[1:])
            found = None if cipher is None else _decrypt(cipher, body, head + context)
        elif sealed[:1] == _WITHOUT_ID and len(sealed) >= 1 + _NONCE_BYTES + _TAG_BYTES:
            tried = (_decrypt(cipher, sealed[1:], context) for cipher in self._ciphers.values())
            found = next((plaintext for plaintext in tried if plaintext is not None), None)
        else:
            raise SecretError("cannot unseal a secret: it is in a format that this version does not know")
        if found is None:
            raise SecretError("cannot unseal a secret: the master key is not the one it was sealed with")
        return found

    def is_current(self, sealed: bytes) -> bool:
        """Whether the text was sealed with the current key."""
        return sealed[: 1 + _ID_BYTES] == _WITH_ID + self._current


def _decrypt(cipher: AESGCM, body: bytes, bound: bytes) -> bytes | None:
    try:
        return cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], bound)
    except InvalidTag:
        return None
