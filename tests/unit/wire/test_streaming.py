"""Answers that are streams of events: sent as they come, ended with the client or with an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from tidegate.api import logs
from tidegate.api.shape import Operation, ServiceError, Shape
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.awsjson import AwsJson
from tidegate.wire.routing import Service, serve_with

pytestmark = pytest.mark.anyio
SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"x-amz-target", b"Logs_20140328.DescribeLogGroups")],
}


class Lines:
    """An event a line."""

    content_type = "text/lines"

    def opening(self, operation: Operation, request_id: str) -> bytes:
        return f"{operation.name}\n".encode()

    def event(self, operation: Operation, event: Shape) -> bytes:
        assert isinstance(event, logs.LogGroup)
        return f"{event.log_group_name}\n".encode()

    def error(self, error: ServiceError) -> bytes:
        return f"{error.code}\n".encode()


class Handler:
    """Answers with `events`, or raises `refusal`."""

    def __init__(self, events: Any, refusal: ServiceError | None = None) -> None:
        self.events = events
        self.refusal = refusal
        self.is_closed = False

    async def describe_log_groups(self, ctx: Any, request: Any) -> AsyncIterator[logs.LogGroup]:
        if self.refusal is not None:
            raise self.refusal
        return self._stream()

    async def _stream(self) -> AsyncIterator[logs.LogGroup]:
        try:
            async with aclosing(self.events()) as events:
                async for event in events:
                    yield event
        finally:
            self.is_closed = True


class Client:
    """An ASGI server's side of one request; goes away after `patience` parts."""

    def __init__(self, patience: int = 1000) -> None:
        self.messages: list[dict[str, Any]] = []
        self.body = [b"{}"]
        self.patience = patience
        self.gone = anyio.Event()

    async def ask(self, handler: Handler) -> None:
        plain = serve_with(logs, handler)
        codec = AwsJson("logs", logs.OPERATIONS)
        codec.events = Lines()
        service = Service(plain.api, handler, codec, plain.operations)
        application = Application([service], Identity("123456789012", "eu-north-1"), None, dict)
        with anyio.fail_after(5):
            await application(SCOPE, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self.body:
            return {"type": "http.request", "body": self.body.pop()}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if len(self.messages) > self.patience:
            self.gone.set()
        await anyio.lowlevel.checkpoint()

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.messages).decode()


async def two() -> AsyncIterator[logs.LogGroup]:
    yield logs.LogGroup(log_group_name="a")
    yield logs.LogGroup(log_group_name="b")


async def endless() -> AsyncIterator[logs.LogGroup]:
    while True:
        yield logs.LogGroup(log_group_name="more")
        await anyio.sleep(1)


async def test_events_are_sent_as_they_come() -> None:
    """Each in a part of its own, in the protocol's type, without an announced length; then the stream is closed."""
    client, handler = Client(), Handler(two)
    await client.ask(handler)
    start, *parts = client.messages
    names = dict(start["headers"])
    assert names[b"content-type"] == b"text/lines"
    assert b"content-length" not in names
    assert [part["body"] for part in parts] == [b"DescribeLogGroups\n", b"a\n", b"b\n", b""]
    assert not parts[-1].get("more_body")
    assert handler.is_closed


async def test_a_client_that_goes_away_ends_the_events() -> None:
    """The generator's `finally` runs, whatever it waited for."""
    client, handler = Client(patience=3), Handler(endless)
    await client.ask(handler)
    assert handler.is_closed
    assert len(client.messages) <= 6


async def test_what_is_refused_before_the_first_event_is_a_plain_error() -> None:
    """With its status, as of any operation."""
    client = Client()
    await client.ask(Handler(two, logs.ResourceNotFoundException("no such group")))
    assert client.status == 400
    assert "ResourceNotFoundException" in client.text


@pytest.mark.parametrize(
    "error, code",
    [(logs.InvalidParameterException("late"), "InvalidParameterException"), (ValueError("ours"), "InternalFailure")],
)
async def test_an_error_in_the_middle_ends_the_stream(error: Exception, code: str) -> None:
    """As the protocol has it; a mistake of ours is told in the log alone."""

    async def one_and_over() -> AsyncIterator[logs.LogGroup]:
        yield logs.LogGroup(log_group_name="a")
        raise error

    client, handler = Client(), Handler(one_and_over)
    await client.ask(handler)
    assert client.text == f"DescribeLogGroups\na\n{code}\n"
    assert "ours" not in client.text
    assert handler.is_closed
