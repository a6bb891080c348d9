"""
The Fluent Forward protocol, as a client writes it: lines become records, records a message.

    message:  [tag, bin of entries one behind the other, {"size": how many, "chunk": id}]     (PackedForward mode)
    entry:    [EventTime, {"log": ..., "source": stdout or stderr, "container_id": ..., "container_name": ...}]
    answer:   {"ack": id}, if the receiver acknowledges

EventTime is extension type 0: seconds and nanoseconds, 4 bytes each. A line of more than 16 KiB goes in several records
that say so, as docker's driver has it. Source: Fluentd, "Forward Protocol Specification v1".
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tidegate.model.log import Burst

PART_BYTES: Final = 16 * 1024
"""Docker's greatest piece of a line."""
_EVENT_TIME: Final = struct.Struct(">II")
_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Origin:
    """Of the records: which container they are of."""

    container_id: str
    container_name: str


def encode_message(tag: str, entries: Sequence[bytes], chunk: str | None) -> bytes:
    """One message. chunk: its id, which the receiver gives back when it has taken the entries; None: it need not."""
    option: dict[str, Any] = {"size": len(entries)}
    if chunk is not None:
        option["chunk"] = chunk
    return _encode([tag, b"".join(entries), option])


def encode_entries(bursts: Sequence[Burst], origin: Origin) -> list[bytes]:
    """The entries of these lines, each encoded."""
    entries: list[bytes] = []
    for output, time_ns, lines in bursts:
        time = _event_time(time_ns)
        base = {"container_id": origin.container_id, "container_name": origin.container_name, "source": output}
        for line in lines:
            if len(line) <= PART_BYTES:
                entries.append(_encode((time, {**base, "log": line.decode("utf-8", "replace")})))
            else:
                entries += [_encode((time, {**base, **part})) for part in _parts(line, time_ns)]
    return entries


def chunk_id(source: str, offset: int) -> str:
    """128 bits, the same whenever these lines are sent: a receiver that remembers ids can tell that it has them."""
    digest = hashlib.blake2b(f"{source} {offset}".encode(), digest_size=16).digest()
    return base64.b64encode(digest).decode()


def read_acknowledgement(data: bytes) -> str | None:
    """The id in an answer; None: it is not whole yet. Raises ValueError for what is no answer."""
    try:
        answer = msgspec.msgpack.decode(data, type=dict[str, str])
    except msgspec.ValidationError as error:
        raise ValueError(f"the receiver answered with something else than an acknowledgement: {error}") from error
    except msgspec.DecodeError:
        return None
    if "ack" not in answer:
        raise ValueError("the receiver answered without an acknowledgement")
    return answer["ack"]


def _event_time(time_ns: int) -> msgspec.msgpack.Ext:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return msgspec.msgpack.Ext(0, _EVENT_TIME.pack(seconds & 0xFFFFFFFF, rest))


def _parts(line: bytes, time_ns: int) -> Iterator[dict[str, str]]:
    """As docker's driver splits a long line; never within a character."""
    whole = hashlib.blake2b(line + time_ns.to_bytes(8, "little"), digest_size=32).hexdigest()
    start, ordinal = 0, 1
    while start < len(line):
        end = min(start + PART_BYTES, len(line))
        while end < len(line) and end > start + PART_BYTES - 3 and line[end] & 0xC0 == 0x80:
            end -= 1
        yield {
            "log": line[start:end].decode("utf-8", "replace"),
            "partial_message": "true",
            "partial_id": whole,
            "partial_ordinal": str(ordinal),
            "partial_last": "true" if end == len(line) else "false",
        }
        start, ordinal = end, ordinal + 1
