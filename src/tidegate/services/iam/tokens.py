"""
Session tokens: temporary credentials that need no record.

All that must be known of a session is sealed into its token, bound to the access key's id. So a thousand tasks whose
credentials rotate cost no write, and a restart loses none (ADR 0014). What ends a session before its time is what ends
it on AWS: the role or user is deleted, or a policy denies. The key that tokens are sealed with is a record of its own,
sealed with the master key: when that changes, the tokens that are out stay good.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from tidegate.api.shape import Session
from tidegate.model.identity import SessionKey
from tidegate.model.sealed import sealed_context
from tidegate.services.iam.identities import new_access_key
from tidegate.store.secrets import KEY_BYTES, SecretError
from tidegate.store.secrets import Sealer as KeySealer
from tidegate.store.store import Put, Store

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
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float
    """Seconds since the epoch."""


class Contents(msgspec.Struct, frozen=True, array_like=True):
    """What a token holds."""

    secret: str
    owner_id: str
    """Of the role or user, so that another one by the same name does not get the session."""
    session: Session


async def ensure_session_sealer(store: Store, master: Sealer) -> Sealer:
    """What seals tokens, with the key that is made at first use."""
    context = sealed_context(SessionKey, "session-key")
    record = store.get(SessionKey, "session-key")
    if record is not None:
        return KeySealer(master.unseal(record.sealed_key, context))
    key = secrets.token_bytes(KEY_BYTES)
    await store.commit(Put(SessionKey(sealed_key=master.seal(key, context))))
    return KeySealer(key)


def write_token(
    sealer: Sealer, role_arn: str, owner_id: str, session: Session, least_size: int = 0
) -> SessionCredentials:
    """New credentials for a session. least_size: of the token, for who wants to see if a long one comes through."""
    access_key, secret = new_access_key("ASIA")
    plaintext = zlib.compress(msgspec.msgpack.encode(Contents(secret, owner_id, session)))
    sealed = sealer.seal(plaintext.ljust(least_size * 3 // 4, b"\0"), _context(access_key))
    token = base64.b64encode(sealed).decode()
    return SessionCredentials(role_arn, access_key, secret, token, session.expires_at)


def read_token(sealer: Sealer, access_key: str, token: str) -> Contents | None:
    """What the token of this access key holds, expired or not; None if it is not one of ours."""
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        sealed = base64.b64decode(token, validate=True)
        plaintext = sealer.unseal(sealed, _context(access_key))
    except (binascii.Error, ValueError, SecretError):
        return None
    unpacked = zlib.decompressobj().decompress(plaintext, _LONGEST_PLAINTEXT)
    return msgspec.msgpack.decode(unpacked, type=Contents)


def _context(access_key: str) -> bytes:
    return f"session/{access_key}".encode()
