"""HTTP on a socket: uvicorn, with connections that have deadlines and signals that are ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from socket import socket
from typing import Any

import anyio
import uvicorn

from tidegate.channel.message import LARGEST_MESSAGE_BYTES as LARGEST_FRAME_BYTES
from tidegate.wire.connection import guarded
from tidegate.wire.gate import Gate, Limits

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
IDLE_SECONDS = 75
"""A connection without a request is closed after so long; clients keep theirs for less."""
SHUTDOWN_SECONDS = 5
PONG_SECONDS = 120
"""A WebSocket whose client does not answer a ping for so long is cut; it may be a person who paused a terminal."""
CHECK_SECONDS = 1
"""Connections are looked at so often: whether their deadlines have passed."""


@asynccontextmanager
async def serving(
    application: Asgi, listener: socket, limits: Limits, check_seconds: float = CHECK_SECONDS
) -> AsyncIterator[Gate]:
    """The application is served inside, and requests that are on their way are finished at the end."""
    gate = Gate(limits)
    server = _QuietServer(
        uvicorn.Config(
            application,
            http=guarded(gate),
            ws="websockets-sansio",
            ws_max_size=LARGEST_FRAME_BYTES,
            ws_ping_timeout=PONG_SECONDS,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
    async with anyio.create_task_group() as group:
        group.start_soon(_serve, server, listener, gate, check_seconds)
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await anyio.sleep(0.005)
        yield gate
        server.should_exit = True


class _QuietServer(uvicorn.Server):
    """Leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(server: uvicorn.Server, listener: socket, gate: Gate, check_seconds: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_check_connections, gate, check_seconds)
        await server.serve([listener])
        group.cancel_scope.cancel()


async def _check_connections(gate: Gate, check_seconds: float) -> None:
    while True:
        await anyio.sleep(check_seconds)
        gate.check_all(asyncio.get_running_loop().time())
