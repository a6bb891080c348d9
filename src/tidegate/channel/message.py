"""
One message of a data channel, as bytes and back.

All numbers are big-endian. Source: session-manager-plugin, the layout of its client message:

    0    4  length of the header, 116        64   16  message id, the last eight bytes of the UUID first
    4   32  type, padded with spaces         80   32  SHA-256 of the payload
    36   4  schema version, 1                112   4  type of the payload
    40   8  created, epoch milliseconds      116   4  length of the payload
    48   8  sequence number                  120      payload
    56   8  flags: 1 first, 2 last
"""

from __future__ import annotations

import hashlib
import struct
import time
import uuid
from dataclasses import dataclass, field
from enum import IntEnum

INPUT = "input_stream_data"
OUTPUT = "output_stream_data"
ACKNOWLEDGE = "acknowledge"
CHANNEL_CLOSED = "channel_closed"
START_PUBLICATION = "start_publication"
PAUSE_PUBLICATION = "pause_publication"

FIRST = 1
LAST = 2
LARGEST_PAYLOAD_BYTES = 64 * 1024
LARGEST_MESSAGE_BYTES = LARGEST_PAYLOAD_BYTES + 1024

_HEADER = struct.Struct(">I32sIQqQ16s32sI")
_HEADER_BYTES = _HEADER.size
_LENGTH = struct.Struct(">I")
_VERSION = 1


class PayloadType(IntEnum):
    """What a stream message carries."""

    OUTPUT = 1
    ERROR = 2
    SIZE = 3
    PARAMETER = 4
    HANDSHAKE_REQUEST = 5
    HANDSHAKE_RESPONSE = 6
    HANDSHAKE_COMPLETE = 7
    ENCRYPTION_CHALLENGE_REQUEST = 8
    ENCRYPTION_CHALLENGE_RESPONSE = 9
    FLAG = 10
    STANDARD_ERROR = 11
    EXIT_CODE = 12


class BadMessage(ValueError):
    """The bytes are no message."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """payload_type: a PayloadType in stream messages, 0 in others."""

    type: str
    payload: bytes
    payload_type: int = 0
    sequence: int = 0
    flags: int = 0
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    created_ms: int = field(default_factory=_now_ms)

    def encode(self) -> bytes:
        """As bytes."""
        header = _HEADER.pack(
            _HEADER_BYTES,
            self.type.encode("ascii").ljust(32),
            _VERSION,
            self.created_ms,
            self.sequence,
            self.flags,
            self.id.bytes[8:] + self.id.bytes[:8],
            hashlib.sha256(self.payload).digest(),
            self.payload_type,
        )
        return header + _LENGTH.pack(len(self.payload)) + self.payload


def decode(data: bytes) -> Message:
    """A message whose digest is right and whose length is what it says. Raises BadMessage."""
    if len(data) < _HEADER_BYTES + _LENGTH.size:
        raise BadMessage(f"{len(data)} bytes are too few for a message")
    length, kind, version, created_ms, sequence, flags, identity, digest, payload_type = _HEADER.unpack_from(data)
    if length != _HEADER_BYTES or version != _VERSION:
        raise BadMessage(f"header of {length} bytes in version {version}")
    (size,) = _LENGTH.unpack_from(data, _HEADER_BYTES)
    payload = data[_HEADER_BYTES + _LENGTH.size :]
    if size != len(payload) or size > LARGEST_PAYLOAD_BYTES:
        raise BadMessage(f"payload of {len(payload)} bytes that says {size}")
    if hashlib.sha256(payload).digest() != digest:
        raise BadMessage("the payload is not that of the digest")
    return Message(
        type=kind.decode("ascii", errors="replace").rstrip(" \0"),
        payload=payload,
        payload_type=payload_type,
        sequence=sequence,
        flags=flags,
        id=uuid.UUID(bytes=identity[8:] + identity[:8]),
        created_ms=created_ms,
    )
