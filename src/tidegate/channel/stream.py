"""
A stream of bytes over a WebSocket, for what is no shell: binary frames are the bytes, text frames say of them.

Nothing is numbered or acknowledged: TCP does that. Each direction ends by itself.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tidegate.channel.message import LARGEST_PAYLOAD_BYTES, BadMessage

FRAME_BYTES = LARGEST_PAYLOAD_BYTES


class Note(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """
    End: no more bytes come from this side. Done: all has arrived and was used. Error: it failed, and is over.

    size_bytes and files: what was copied. skipped: what was left out.
    """

    kind: Literal["End", "Done", "Error"]
    message: str = ""
    files: int = 0
    size_bytes: int = 0
    skipped: tuple[str, ...] = ()

    def encode(self) -> str:
        """As a text frame."""
        return msgspec.json.encode(self).decode()


def decode_note(text: str) -> Note:
    """Raises BadMessage."""
    try:
        return msgspec.json.decode(text, type=Note)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadMessage(f"no note: {error}") from error
