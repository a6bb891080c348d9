"""
The unit of writing in a log file: a batch of events, and how far into their source they reach.

    header (56 bytes, little endian):  payload length, CRC-32 of all that follows it, number of events,
                                       length of the source's name, least and greatest timestamp,
                                       time of ingestion, offset in the source, number of the first event
    payload:  name of the source | msgpack array of timestamps | msgpack array of messages

A frame is there whole or not at all: one that is cut short or does not fit its checksum ends the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

_HEADER: Final = struct.Struct("<IIIIqqqqQ")
_CHECKED_FROM: Final = 8
"""The checksum covers everything behind itself."""
HEADER_BYTES: Final = _HEADER.size

_encode = msgspec.msgpack.Encoder().encode
_decode_all = msgspec.msgpack.Decoder(tuple[list[int], list[str]]).decode


class Event(NamedTuple):
    """An event as it is stored. `number` counts a stream's events in the order in which they came."""

    timestamp_ms: int
    number: int
    ingestion_ms: int
    message: str


class Frame(NamedTuple):
    """A frame's header, with the source's name; `offset` is 0 where there is no source."""

    size: int
    """Of the whole frame, in bytes."""
    events: int
    min_ms: int
    max_ms: int
    ingestion_ms: int
    first_number: int
    source: str
    offset: int


def encode_frame(
    timestamps: Sequence[int],
    messages: Sequence[str],
    *,
    ingestion_ms: int,
    first_number: int,
    source: str,
    offset: int,
) -> bytes:
    """A frame of these events; there may be none of them, to store an offset alone."""
    name = source.encode()
    try:
        body = _encode((timestamps, messages))
    except UnicodeEncodeError:  # lone surrogates, which JSON can express and UTF-8 can't
        body = _encode((timestamps, [text.encode("utf-8", "replace").decode() for text in messages]))
    low, high = (min(timestamps), max(timestamps)) if timestamps else (0, 0)
    fields = (len(name), low, high, ingestion_ms, offset, first_number)
    unchecked = _HEADER.pack(len(name) + len(body), 0, len(timestamps), *fields)
    checksum = zlib.crc32(body, zlib.crc32(name, zlib.crc32(unchecked[_CHECKED_FROM:])))
    return b"".join((_HEADER.pack(len(name) + len(body), checksum, len(timestamps), *fields), name, body))


def parse_frames(data: bytes | memoryview) -> Iterator[Frame]:
    """The headers of the whole and sound frames at the start of `data`; ends before the first that is not."""
    view = memoryview(data)
    position = 0
    while len(view) - position >= HEADER_BYTES:
        length, checksum, count, name, low, high, ingestion, offset, first = _HEADER.unpack_from(view, position)
        end = position + HEADER_BYTES + length
        if end > len(view) or name > length or zlib.crc32(view[position + _CHECKED_FROM : end]) != checksum:
            return
        start = position + HEADER_BYTES
        source = bytes(view[start : start + name]).decode()
        yield Frame(end - position, count, low, high, ingestion, first, source, offset)
        position = end


def decode_events(data: bytes) -> list[Event]:
    """All events of the frames in `data`, by time, and by number where the time is the same."""
    view = memoryview(data)
    events: list[Event] = []
    position = 0
    for frame in parse_frames(view):
        if frame.events:
            start = position + HEADER_BYTES + len(frame.source.encode())
            timestamps, messages = _decode_all(view[start : position + frame.size])
            numbers = range(frame.first_number, frame.first_number + frame.events)
            ingestion = [frame.ingestion_ms] * frame.events
            events += map(Event, timestamps, numbers, ingestion, messages)
        position += frame.size
    events.sort()
    return events
