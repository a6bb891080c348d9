"""
Reading a request's body: up to a limit of its own, and one that all bodies share.

A body is read before its signature can be checked, so whoever reaches the port may send one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

BODY_LIMIT = 1024 * 1024
BODY_LIMITS = {"logs": 8 * 1024 * 1024}
"""
Bytes, by service; BODY_LIMIT for the rest.

PutLogEvents takes 1 MiB of events, counted as UTF-8; a client that escapes in JSON what is not ASCII sends up to six
bytes for one, and names each of 10,000 events' members.
"""
ALL_BODIES_LIMIT = 64 * 1024 * 1024
"""Bytes of all requests that are being read or answered at a time."""


class BodyTooLarge(Exception):
    """The body is longer than the limit."""


class TooBusy(Exception):
    """The bodies of the requests that are on their way take all the memory that is meant for them."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Budget:
    """The bytes that all bodies may take together."""

    def __init__(self, limit: int = ALL_BODIES_LIMIT) -> None:
        self._left = limit

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """For one request: what it took is given back at its end."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            self._left += lease.size

    def take(self, size: int) -> None:
        """Raises TooBusy."""
        if size > self._left:
            raise TooBusy
        self._left -= size


class Lease:
    """What one request has of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def take(self, size: int) -> None:
        """Raises TooBusy."""
        self._budget.take(size)
        self.size += size


async def read_body(
    receive: Callable[[], Awaitable[dict[str, Any]]], headers: Mapping[str, str], lease: Lease, limit: int = BODY_LIMIT
) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is clear, TooBusy, ClientGone."""
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
        lease.take(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
