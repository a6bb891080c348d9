"""What messages of a data channel say in JSON, and the numbers that some of them are."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TypeVar

import msgspec

from tidegate.channel.message import BadMessage
from tidegate.model.session import TerminalSize

SMALLEST_SIDE, LARGEST_SIDE = 1, 10_000
_FLAG = struct.Struct(">I")
_EXIT_CODE = b"EXIT_CODE: "
_P = TypeVar("_P", bound="Payload")


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Base of those that are JSON."""

    def encode(self) -> bytes:
        """As the other side reads it."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls: type[_P], data: bytes) -> _P:
        """Raises BadMessage."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadMessage(f"no {cls.__name__}: {error}") from error


class OpenDataChannel(Payload, frozen=True, kw_only=True):
    """The first thing that a client says, as text: which session it is let into."""

    message_schema_version: str = "1.0"
    request_id: str = ""
    token_value: str
    client_id: str = ""
    client_version: str = ""


class Acknowledge(Payload, frozen=True, kw_only=True):
    """A stream message has arrived."""

    acknowledged_message_type: str
    acknowledged_message_id: str
    acknowledged_message_sequence_number: int
    is_sequential_message: bool = True


class ChannelClosed(Payload, frozen=True, kw_only=True):
    """The session is over; output: why, for people, if it is not over by itself."""

    message_id: str
    created_date: str
    destination_id: str = ""
    session_id: str
    message_type: str = "channel_closed"
    schema_version: int = 1
    output: str = ""


class _Size(msgspec.Struct):
    cols: int
    rows: int


class Flag(IntEnum):
    """What a client says beside its input. DISCONNECT: no more input comes."""

    DISCONNECT = 1
    TERMINATE = 2
    CONNECT_ERROR = 3


def encode_size(size: TerminalSize) -> bytes:
    """A terminal's size."""
    return msgspec.json.encode(_Size(size.columns, size.rows))


def decode_size(data: bytes) -> TerminalSize:
    """A side of nothing or of more than a terminal can have is brought into range. Raises BadMessage."""
    try:
        size = msgspec.json.decode(data, type=_Size)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"no size of a terminal: {error}") from error
    rows, columns = (min(max(side, SMALLEST_SIDE), LARGEST_SIDE) for side in (size.rows, size.cols))
    return TerminalSize(rows, columns)


def encode_flag(flag: Flag) -> bytes:
    """Four bytes."""
    return _FLAG.pack(flag)


def decode_flag(data: bytes) -> int:
    """Raises BadMessage."""
    if len(data) != _FLAG.size:
        raise BadMessage(f"a flag of {len(data)} bytes")
    (number,) = _FLAG.unpack(data)
    return int(number)


def encode_exit_code(code: int) -> bytes:
    """As the agent of AWS writes it."""
    return _EXIT_CODE + str(code).encode()


def decode_exit_code(data: bytes) -> int:
    """Raises BadMessage."""
    digits = data.removeprefix(_EXIT_CODE)
    if not digits.isdigit() or len(digits) > 3:
        raise BadMessage(f"no exit code: {data[:40]!r}")
    return int(digits)
