"""Reading a request's body, up to a limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

BODY_LIMIT = 1024 * 1024
BODY_LIMITS = {"logs": 8 * 1024 * 1024}
"""
Bytes, by service; BODY_LIMIT for the rest.

PutLogEvents takes 1 MiB of events, counted as UTF-8; a client that escapes in JSON what is not ASCII sends up to six
bytes for one, and names each of 10,000 events' members.
"""


class BodyTooLarge(Exception):
    """The body is longer than the limit."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(
    receive: Callable[[], Awaitable[dict[str, Any]]], headers: Mapping[str, str], limit: int = BODY_LIMIT
) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is clear, ClientGone."""
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(f"The request body is longer than {limit} bytes.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge(f"The request body is longer than {limit} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
