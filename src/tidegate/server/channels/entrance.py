"""
The door for WebSockets: who names a session that may begin, and then shows its token, is let in.

    GET /v1/data-channel/SESSION?role=publish_subscribe    upgrade
    text    {"TokenValue": ...}                            within ten seconds
    ...                                                    what the session's kind speaks

Without a session that may begin there is no upgrade at all. A page in a browser gets nowhere: it has no token.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
import structlog

from tidegate.channel.message import BadMessage
from tidegate.channel.payloads import OpenDataChannel
from tidegate.engine.engine import Engine
from tidegate.node.output.sink import LogSink
from tidegate.server.channels.copy_channel import CopyChannel, CopyTarget
from tidegate.server.channels.ending import Channel
from tidegate.server.channels.exec_channel import ExecChannel, ExecTarget
from tidegate.server.channels.forward_channel import ForwardChannel, ForwardTarget
from tidegate.server.channels.socket import POLICY_VIOLATION, Gone, Receive, Send, WebSocket
from tidegate.server.channels.tickets import Refused, Target, Tickets, TooMany
from tidegate.server.channels.transcript import Transcript

log = structlog.get_logger()

PATH = "/v1/data-channel/"
TOKEN_SECONDS = 10.0
_SESSION = re.compile(re.escape(PATH) + r"([a-z0-9-]{1,96})")

Asgi = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]


class Entrance:
    """ASGI: WebSockets are served here, all else by `api`."""

    def __init__(self, api: Asgi, tickets: Tickets, engine: Engine, sink: LogSink) -> None:
        self._api = api
        self._tickets = tickets
        self._engine = engine
        self._sink = sink

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket":
            await self._serve(WebSocket(scope, receive, send))
        else:
            await self._api(scope, receive, send)

    async def _serve(self, socket: WebSocket) -> None:
        found = _SESSION.fullmatch(socket.path)
        if found is None or not self._tickets.is_given(found[1]):
            await socket.refuse()
            return
        with suppress(Gone):
            await socket.accept()
            token = await _read_token(socket)
            try:
                with self._tickets.use(found[1], token) as target:
                    await self._run(target, found[1], socket)
            except (Refused, TooMany) as error:
                await socket.close(POLICY_VIOLATION, str(error))

    async def _run(self, target: Target, session: str, socket: WebSocket) -> None:
        began = anyio.current_time()
        try:
            ending = await self._channel(target, session, socket).run()
        except Exception:  # the top of a session: a mistake of ours ends it, and is told in the log
            log.exception("session failed", session=session, task=target.task)
            await socket.close(1011, "an internal error occurred")
            return
        seconds = round(anyio.current_time() - began, 2)
        log.info("session", id=session, task=target.task, code=ending.code, why=ending.why, seconds=seconds)

    def _channel(self, target: Target, session: str, socket: WebSocket) -> Channel:
        match target:
            case ExecTarget():
                transcript = Transcript(self._sink, target.log_group, session) if target.log_group else None
                return ExecChannel(target, session, socket, self._engine.exec, transcript)
            case ForwardTarget():
                return ForwardChannel(target, socket, self._engine.dial)
            case CopyTarget():
                return CopyChannel(target, socket, self._engine)
            case _:
                raise TypeError(f"no channel serves a {type(target).__name__}")


async def _read_token(socket: WebSocket) -> str:
    """Empty where none is shown in time. Raises Gone."""
    with anyio.move_on_after(TOKEN_SECONDS), suppress(BadMessage):
        first = await socket.receive()
        return OpenDataChannel.decode(first if isinstance(first, bytes) else first.encode()).token_value
    return ""
