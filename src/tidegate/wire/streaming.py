"""
Answers that go on: a handler that returns an async iterator has its events sent as they come.

    async def start_live_tail(self, ctx, request) -> AsyncIterator[StartLiveTailResponseStream]:
        ... checks, which may raise as any handler's ...
        return self._tail(...)          # an async generator

The iterator is closed (`aclose`) when the client goes away or the server ends, so a generator's `finally` runs. What it
raises, once the answer has begun, is sent as the protocol writes an error in the middle of a stream.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import anyio
import structlog

from tidegate.api.shape import Operation, ServiceError, Shape
from tidegate.wire.validation import WireError

log = structlog.get_logger()

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class EventWriter(Protocol):
    """How a protocol writes a stream of events."""

    @property
    def content_type(self) -> str: ...

    def opening(self, operation: Operation, request_id: str) -> bytes:
        """What stands before the first event; may be empty."""

    def event(self, operation: Operation, event: Shape) -> bytes:
        """One event, framed: `event` is the union, with one member set."""

    def error(self, error: ServiceError) -> bytes:
        """The error that ends the stream, framed."""


class EventStream:
    """The events of one answer, on their way to one client."""

    def __init__(
        self, writer: EventWriter, operation: Operation, events: AsyncIterator[Shape], request_id: str
    ) -> None:
        self._writer = writer
        self._operation = operation
        self._events = events
        self._request_id = request_id

    @property
    def content_type(self) -> str:
        """Of the whole answer."""
        return self._writer.content_type

    async def send_to(self, send: Send, receive: Receive) -> None:
        """Send until the events end or the client goes away; a client that reads slowly slows the events down."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
                await self._send_all(send)
                group.cancel_scope.cancel()
        finally:
            close = getattr(self._events, "aclose", None)
            if close is not None:
                with anyio.CancelScope(shield=True):
                    await close()

    async def _send_all(self, send: Send) -> None:
        opening = self._writer.opening(self._operation, self._request_id)
        if opening:
            await _send_part(send, opening)
        try:
            async for event in self._events:
                await _send_part(send, self._writer.event(self._operation, event))
        except ServiceError as error:
            await _send_part(send, self._writer.error(error))
        except Exception:  # the top of a request: a mistake of ours, told in the log alone
            log.error("stream failed", id=self._request_id, trace=traceback.format_exc())
            internal = f"An internal error occurred; the server's log has it under {self._request_id}."
            await _send_part(send, self._writer.error(WireError("InternalFailure", internal, 500)))
        await send({"type": "http.response.body", "body": b""})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _send_part(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})
