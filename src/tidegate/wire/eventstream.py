"""
The framing of event streams, application/vnd.amazon.eventstream, as the JSON protocols use it.

    message:  length of all (4), length of the headers (4), CRC-32 of these eight (4), headers, payload,
              CRC-32 of all before it (4)
    header:   length of its name (1), name, type 7 for a text (1), length of the text (2), text

The first message holds the answer's other members (`initial-response`), then comes one for each event. A modelled
error is an `exception` with a payload; any other an `error` that has all in its headers. Both end the stream.

Source: Smithy, "Amazon Event Stream Specification".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

import msgspec

from tidegate.api.shape import Operation, ServiceError, Shape
from tidegate.wire.validation import WireError

_PRELUDE: Final = struct.Struct(">II")
_NUMBER: Final = struct.Struct(">I")
_TEXT: Final = 7
_LONGEST_TEXT: Final = 4096
"""Of an error in a header, which could have 65,535 bytes."""


class JsonEvents:
    """Satisfies `EventWriter`."""

    content_type = "application/vnd.amazon.eventstream"

    def opening(self, operation: Operation, request_id: str) -> bytes:
        """No operation has members beside its stream."""
        return write_message(_event_headers("initial-response"), b"{}")

    def event(self, operation: Operation, event: Shape) -> bytes:
        """The member that is set names the event's type."""
        for field in msgspec.structs.fields(event):
            value = getattr(event, field.name)
            if value is not None:
                return write_message(_event_headers(field.encode_name), msgspec.json.encode(value))
        raise ValueError("cannot write an event that has no member set")

    def error(self, error: ServiceError) -> bytes:
        """Modelled, or one of ours."""
        if isinstance(error, WireError):
            text = error.message.encode()[:_LONGEST_TEXT].decode(errors="ignore")
            return write_message({":message-type": "error", ":error-code": error.code, ":error-message": text}, b"")
        headers = {
            ":message-type": "exception",
            ":exception-type": error.code,
            ":content-type": "application/json",
        }
        return write_message(headers, msgspec.json.encode({"message": error.message, **error.members}))


def _event_headers(kind: str) -> dict[str, str]:
    return {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}


def write_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One framed message. headers: names of at most 255 bytes, texts of at most 65,535."""
    block = b"".join(_header(name.encode(), text.encode()) for name, text in headers.items())
    prelude = _PRELUDE.pack(_PRELUDE.size + 2 * _NUMBER.size + len(block) + len(payload), len(block))
    body = b"".join((prelude, _NUMBER.pack(zlib.crc32(prelude)), block, payload))
    return body + _NUMBER.pack(zlib.crc32(body))


def _header(name: bytes, text: bytes) -> bytes:
    return struct.pack(f">B{len(name)}sBH", len(name), name, _TEXT, len(text)) + text
