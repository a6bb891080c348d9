"""Messages of a data channel as bytes: the layout of AWS's plugin, and whatever else may come."""

from __future__ import annotations

import contextlib
import hashlib
import struct
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.channel.handshake import HandshakeResponse, plan_handshake
from tidegate.channel.message import BadMessage, Message, PayloadType, decode
from tidegate.channel.payloads import (
    Acknowledge,
    decode_exit_code,
    decode_flag,
    decode_size,
    encode_exit_code,
    encode_size,
)
from tidegate.model.session import TerminalSize

IDENTITY = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
HELLO = Message("input_stream_data", b"hello", PayloadType.OUTPUT, 7, 3, IDENTITY, 1_600_000_000_123)


def test_layout():
    """Each field is where session-manager-plugin has it; the UUID's halves are swapped."""
    data = HELLO.encode()
    assert struct.unpack(">I", data[:4]) == (116,)
    assert data[4:36] == b"input_stream_data".ljust(32)
    assert struct.unpack(">IQqQ", data[36:64]) == (1, 1_600_000_000_123, 7, 3)
    assert data[64:80].hex() == "8899aabbccddeeff0011223344556677"
    assert data[80:112] == hashlib.sha256(b"hello").digest()
    assert struct.unpack(">II", data[112:120]) == (1, 5)
    assert data[120:] == b"hello"


def test_a_type_may_be_padded_with_zeros():
    """Spaces or NULs after a type are no part of it."""
    data = HELLO.encode()
    assert decode(data[:4] + b"input_stream_data".ljust(32, b"\0") + data[36:]).type == "input_stream_data"


@given(st.binary(max_size=2000), st.integers(0, 2**63 - 1), st.integers(0, 2**64 - 1), st.sampled_from(PayloadType))
def test_there_and_back(payload: bytes, sequence: int, flags: int, kind: PayloadType):
    """What is encoded is decoded as it was."""
    message = Message("output_stream_data", payload, kind, sequence, flags)
    assert decode(message.encode()) == message


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes):
    """Bytes are a message or are refused; nothing else happens."""
    with contextlib.suppress(BadMessage):
        decode(data)


@given(st.integers(0, 124), st.integers(1, 255))
def test_a_changed_message_is_refused_or_another(position: int, change: int):
    """A message with one byte changed is never taken for the one that was sent, but for what fills up its type."""
    data = bytearray(HELLO.encode())
    data[position] ^= change
    assume(not (4 + len(HELLO.type) <= position < 36 and data[position] == 0))  # a NUL fills up as well as a blank
    try:
        assert decode(bytes(data)) != HELLO
    except BadMessage:
        return


@pytest.mark.parametrize("cut", [0, 1, 119, 121, 124])
def test_a_cut_message_is_refused(cut: int):
    """A message that is shorter than it says is none."""
    with pytest.raises(BadMessage):
        decode(HELLO.encode()[:cut])


@given(st.binary(max_size=200))
def test_any_payload(data: bytes):
    """The payloads that mean something are read, or refused, whatever they hold."""
    for read in (decode_size, decode_flag, decode_exit_code, Acknowledge.decode, HandshakeResponse.decode):
        with contextlib.suppress(BadMessage):
            read(data)  # type: ignore[operator]


def test_sizes_are_brought_into_range():
    """A window without a side, or with one of millions, is no error: windows are dragged about."""
    assert decode_size(encode_size(TerminalSize(40, 120))) == TerminalSize(40, 120)
    assert decode_size(b'{"cols":0,"rows":-5}') == TerminalSize(1, 1)
    assert decode_size(b'{"cols":1000000,"rows":9}') == TerminalSize(9, 10_000)


def test_exit_codes():
    """As AWS's agent writes them."""
    assert encode_exit_code(3) == b"EXIT_CODE: 3"
    assert decode_exit_code(b"EXIT_CODE: 255") == 255


def test_handshake_as_the_plugin_reads_it():
    """The members are named as the plugin wants them, and its answer is understood."""
    assert plan_handshake("InteractiveCommands").encode() == (
        b'{"AgentVersion":"3.2.0.0","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":'
        b'{"SessionType":"InteractiveCommands","Properties":{}}}]}'
    )
    answer = HandshakeResponse.decode(
        b'{"ClientVersion":"1.2.553.0","ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":1,'
        b'"ActionResult":null,"Error":""}],"Errors":null}'
    )
    assert answer.client_version == "1.2.553.0"
