"""A connection to a session's data channel, for commands."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import click
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tidegate import __version__
from tidegate.api import tidegate
from tidegate.channel.message import LARGEST_MESSAGE_BYTES
from tidegate.channel.payloads import OpenDataChannel
from tidegate.cli.target import Target

_PONG_SECONDS = 60


class Lost(click.ClickException):
    """The connection ended before the session did."""


class DataConnection:
    """Frames, in order. Raises Lost from `receive` when the connection is gone."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, frame: bytes | str) -> None:
        """One frame; one that can't be sent is no error, as `receive` tells."""
        try:
            await self._connection.send(frame)
        except ConnectionClosed:
            return

    async def receive(self) -> bytes | str:
        """The next frame."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            why = error.rcvd.reason if error.rcvd is not None else ""
            raise Lost(why or "the connection to the server was lost") from error


@asynccontextmanager
async def open_session(target: Target, session: tidegate.Session) -> AsyncIterator[DataConnection]:
    """Connect to where the API was reached, and show the token."""
    try:
        async with connect(
            _url(target, session),
            max_size=LARGEST_MESSAGE_BYTES,
            max_queue=None,  # the server sends no more than its window
            compression=None,
            ping_timeout=_PONG_SECONDS,
            proxy=None,
            user_agent_header=None,
        ) as connection:
            found = DataConnection(connection)
            request = OpenDataChannel(
                token_value=session.token_value or "",
                request_id=str(uuid.uuid4()),
                client_id=str(uuid.uuid4()),
                client_version=f"tidegate/{__version__}",
            )
            await found.send(request.encode().decode())
            yield found
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise Lost(f"cannot reach the session: {error}") from error


def _url(target: Target, session: tidegate.Session) -> str:
    """The path is the session's; the way there is that by which the API was reached."""
    address, path = urlsplit(target.endpoint), urlsplit(session.stream_url or "")
    scheme = "wss" if address.scheme == "https" else "ws"
    return path._replace(scheme=scheme, netloc=address.netloc).geturl()
