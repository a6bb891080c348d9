"""
Session tokens: temporary credentials that need no record.

All that must be known of a session is sealed into its token under the server's master key, bound to the access key's
id. So a thousand tasks whose credentials rotate cost no write, and a restart loses none (ADR 0014). What ends a session
before its time is what ends it on AWS: the role or user is deleted, or a policy denies.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Protocol

import msgspec

from tidegate.api.shape import Session
from tidegate.services.iam.identities import new_access_key
from tidegate.store.secrets import SecretError

LONGEST_TOKEN = 16_384
_LONGEST_PLAINTEXT = 131_072


class Sealer(Protocol):
    """Encrypts; see `store.secrets`. context: bytes that the sealed text is bound to."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...
    def unseal(self, sealed: bytes, context: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Temporary credentials as they are handed out."""

    role_arn: str
    """Empty if they are not a role's."""
    access_key_id: str
    """ASIA..., 20 characters."""
    secret_access_key: str
    session_token: str
    expires_at: float
    """Seconds since the epoch."""


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What a token holds."""

    secret: str
    owner_id: str
    """Of the role or user, so that another one by the same name does not get the session."""
    session: Session


def write_token(sealer: Sealer, role_arn: str, owner_id: str, session: Session) -> SessionCredentials:
    """New credentials for a session."""
    access_key, secret = new_access_key("ASIA")
    plaintext = zlib.compress(msgspec.msgpack.encode(Sealed(secret, owner_id, session)))
    sealed = sealer.seal(plaintext, _context(access_key))
    token = base64.b64encode(sealed).decode()
    return SessionCredentials(role_arn, access_key, secret, token, session.expires_at)


def read_token(sealer: Sealer, access_key: str, token: str) -> Sealed | None:
    """What the token of this access key holds, expired or not; None if it is not one of ours."""
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        sealed = base64.b64decode(token, validate=True)
        plaintext = sealer.unseal(sealed, _context(access_key))
    except (binascii.Error, ValueError, SecretError):
        return None
    unpacked = zlib.decompressobj().decompress(plaintext, _LONGEST_PLAINTEXT)
    return msgspec.msgpack.decode(unpacked, type=Sealed)


def _context(access_key: str) -> bytes:
    return f"session/{access_key}".encode()
