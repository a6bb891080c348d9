"""
One HTTP/1.1 connection, whose client may be hostile: uvicorn's, with deadlines and limits.

Where a connection is, and what ends it:

    head        from connecting, or a request's first byte     head_seconds, head_bytes, headers  408, 431
    body        the headers are there                          body_seconds                       408
    answering   the request is complete                        nothing: handlers take their time
    stalled     the client does not read the answer            stall_seconds                      cut
    idle        between requests                               uvicorn's keep-alive timer         closed

What is not HTTP gets 400, in plain text: there is no telling what protocol it was meant for.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from tidegate.wire.gate import Gate

FRAMING_BYTES = 64 * 1024
FRAMING_SHARE = 8
"""A chunked body may be framed with so many bytes, and so many times its own length: one byte a chunk is allowed."""


class _Refused(Exception):
    """What the parser's callbacks raise to end the connection."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def guarded(gate: Gate) -> type[GuardedConnection]:
    """The class for uvicorn's `http`: connections that come in by `gate`."""
    return type("GuardedConnection", (GuardedConnection,), {"gate": gate})


class GuardedConnection(HttpToolsProtocol):
    """See the module. A Guest of the gate, which `guarded` sets."""

    gate: ClassVar[Gate]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = self.gate.limits
        self.address = ""
        self.waits_since = self.loop.time()
        self._deadline: float | None = None
        """Of the message that is being read; None between messages."""
        self._is_in_head = True
        self._has_begun = False
        """A message, in the data that is being parsed."""
        self._head_bytes = 0
        self._received = 0
        self._body_bytes = 0
        self._stalled_at: float | None = None
        self._closing_at: float | None = None

    @property
    def is_waiting(self) -> bool:
        """No handler works for it, or none could be heard."""
        return not self._is_answering or self.cycle.more_body or self._stalled_at is not None

    @property
    def _is_answering(self) -> bool:
        """A request is there, to its end or not, whose answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def abort(self) -> None:
        """End it now, whatever is on the way."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, or tell it that there is no room."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._deadline = self.loop.time() + self._limits.head_seconds
        if not self.gate.enter(self):
            self._refuse(503, "There are too many connections.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        self.gate.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it; what is no HTTP/1.1, or too much, ends the connection."""
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        if self._deadline is None:
            self._deadline = self.loop.time() + self._limits.head_seconds
        self._received += len(data)
        self._has_begun = False
        try:
            self.parser.feed_data(data)
            self._check_size(len(data))
        except httptools.HttpParserUpgrade:
            self.gate.leave(self)
            self.handle_websocket_upgrade()
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if isinstance(cause, _Refused):
                self._refuse(cause.status, str(cause))
            else:
                self._refuse(400, "The request's target is not valid.")
        except httptools.HttpParserError:
            self._refuse(400, "This is not a valid HTTP request.")
        except _Refused as refused:
            self._refuse(refused.status, str(refused))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._is_in_head = self._has_begun = True
        self._head_bytes = 0
        if len(self.pipeline) >= self._limits.most_pipelined:
            raise _Refused(400, "There are too many requests on their way in this connection.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers, which come after the head, mean nothing here."""
        if not self._is_in_head:
            return
        if len(self.headers) >= self._limits.headers:
            raise _Refused(431, "The request has too many headers.")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the body's time begins, and the request's."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self._limits.head_bytes:
            raise _Refused(431, "The request's headers are too long.")
        if self.parser.should_upgrade() and not self._should_upgrade():  # the parser leaves out the body then
            raise _Refused(400, "There is nothing here to upgrade to.")
        self._is_in_head = False
        self._received = self._body_bytes = 0
        self._deadline = self.loop.time() + self._limits.body_seconds
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of it."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The client has done its part."""
        super().on_message_complete()
        self._deadline = None
        self._is_in_head = True
        self._received = 0

    def on_response_complete(self) -> None:
        """What the client still sends of a request that is answered already is dropped, for a moment."""
        self.waits_since = self.loop.time()
        if self._deadline is not None:
            is_leftover = not self._is_in_head and not self.pipeline
            limits = self._limits
            self._deadline = self.waits_since + (limits.linger_seconds if is_leftover else limits.body_seconds)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read."""
        self._stalled_at = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._stalled_at = None
        super().resume_writing()

    def shutdown(self) -> None:
        """The server ends: an answer that goes on and on is cut, others may finish."""
        cycle = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            self.transport.close()
            return
        super().shutdown()

    def check(self, now: float) -> None:
        """End it if it is late."""
        limits = self._limits
        if self.transport.is_closing():
            self._closing_at = self._closing_at or now
            if now > self._closing_at + limits.linger_seconds:
                self.transport.abort()
        elif self._stalled_at is not None and now > self._stalled_at + limits.stall_seconds:
            self.transport.abort()
        elif self._deadline is not None and now > self._deadline and not (self._is_in_head and self._is_answering):
            self._refuse(408, "The request did not come in time.")

    def _check_size(self, size: int) -> None:
        if self._deadline is None:
            return
        if self._is_in_head:
            self._head_bytes += 0 if self._has_begun else size
            if self._head_bytes > self._limits.head_bytes:
                raise _Refused(431, "The request's headers are too long.")
        elif self._received > FRAMING_BYTES + self._body_bytes * FRAMING_SHARE:
            raise _Refused(400, "The request's body is mostly framing.")

    def _refuse(self, status: int, text: str) -> None:
        """Say so, unless this request has been answered or is just being, and close."""
        is_answered = self.cycle is not None and self.cycle.response_started and not self._is_in_head
        if not self.transport.is_closing() and not is_answered:
            body = text.encode()
            self.transport.write(
                STATUS_LINE[status] + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
        self.transport.close()
