"""The door for WebSockets: who is let in, and with what it is served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio import current_time

from fakes.channels import Line, Tree
from fakes.node import FakeSink, World
from tidegate.channel.payloads import OpenDataChannel
from tidegate.channel.stream import Note
from tidegate.model.session import CopyReport
from tidegate.server.channels.copy_channel import CopyTarget
from tidegate.server.channels.entrance import PATH, TOKEN_SECONDS, Entrance
from tidegate.server.channels.socket import Receive, Send
from tidegate.server.channels.tickets import Ticket, Tickets

pytestmark = pytest.mark.anyio

TARGET = CopyTarget("t", "app", "/data", is_out=True)


async def no_api(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    raise AssertionError("a WebSocket is none of the API's")


class Door:
    """An entrance with one ticket."""

    def __init__(self, tree: Tree | None = None) -> None:
        self.tickets = Tickets(lambda: 0.0)
        self.ticket: Ticket = self.tickets.give(TARGET)
        engine = tree or Tree([b"tar"], CopyReport(files=1))
        self.entrance = Entrance(no_api, self.tickets, engine, FakeSink(World()))

    @asynccontextmanager
    async def knock(self, path: str = "") -> AsyncIterator[Line]:
        line = Line(path or PATH + self.ticket.session)
        async with anyio.create_task_group() as group:
            group.start_soon(self.entrance, line.scope, line.server_receive, line.server_send)
            line.connect()
            yield line


def token(text: str) -> str:
    return OpenDataChannel(token_value=text).encode().decode()


async def test_who_shows_the_token_is_served():
    """And only then; the session's end closes the connection."""
    door = Door()
    async with door.knock() as line:
        assert await line.raw() == {"type": "websocket.accept"}
        await line.send(token(door.ticket.token))
        assert await line.receive() == b"tar"
        assert await line.receive() == Note(kind="Done", files=1).encode()
        assert await line.receive() is None
    assert line.closed_with["code"] == 1000


@pytest.mark.parametrize(
    "path",
    ["/", PATH, PATH + "x" * 97, PATH + "../data-channel/s", PATH + "S-UPPER", "/v1/other/s-1", PATH + "nosuch-1"],
)
async def test_without_a_session_there_is_no_upgrade(path: str):
    """A path that names no session that may begin is refused before there is a WebSocket."""
    async with Door().knock(path) as line:
        assert await line.raw() == {"type": "websocket.close"}


@pytest.mark.parametrize("said", [token("wrong"), "{", "", b"\x00\xff", "[]", '{"TokenValue": 1}'])
async def test_a_wrong_token(said: str | bytes):
    """Or what is none: the connection is closed, and the ticket is spoilt."""
    door = Door()
    async with door.knock() as line:
        await line.raw()
        await line.send(said)
        assert await line.receive() is None
    assert line.closed_with["code"] == 1008
    assert not door.tickets.is_given(door.ticket.session)


async def test_a_token_is_waited_for_ten_seconds():
    """Who says nothing is shown out."""
    began = current_time()
    async with Door().knock() as line:
        await line.raw()
        assert await line.receive() is None
    assert current_time() - began == pytest.approx(TOKEN_SECONDS, abs=0.1)


async def test_a_client_that_leaves_at_the_door():
    """Is no error."""
    async with Door().knock() as line:
        line.vanish()


async def test_a_mistake_of_ours():
    """Ends the session with the code for it, and says nothing of what went wrong."""
    door = Door(Tree([], ZeroDivisionError("secret")))
    async with door.knock() as line:
        await line.raw()
        await line.send(token(door.ticket.token))
        assert await line.receive() is None
    assert line.closed_with["code"] == 1011
    assert "secret" not in str(line.closed_with)
