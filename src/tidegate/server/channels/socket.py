"""A WebSocket as ASGI gives it, in the words of this package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

POLICY_VIOLATION = 1008
TOO_BIG = 1009
_REASON_BYTES = 123
"""As much as a close frame has room for."""


class Gone(Exception):
    """The other side has closed or lost the connection."""


class WebSocket:
    """scope: ASGI's, of type `websocket`. Sending to one that is gone is no error: receiving tells."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self.path: str = scope["path"]
        self.is_gone = False
        self._receive = receive
        self._send = send

    async def refuse(self) -> None:
        """Before `accept`: HTTP 403, and no WebSocket."""
        await self._receive()
        await self._send({"type": "websocket.close"})

    async def accept(self) -> None:
        """Let it in. Raises Gone."""
        if (await self._receive())["type"] != "websocket.connect":
            raise Gone
        await self._say({"type": "websocket.accept"})

    async def receive(self) -> bytes | str:
        """The next frame. Raises Gone."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            self.is_gone = True
            raise Gone
        data: bytes | None = message.get("bytes")
        return data if data is not None else str(message.get("text") or "")

    async def send(self, data: bytes | str) -> None:
        """One frame; waits while the other side does not read."""
        await self._say({"type": "websocket.send", "bytes" if isinstance(data, bytes) else "text": data})

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The last frame."""
        short = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        await self._say({"type": "websocket.close", "code": code, "reason": short})

    async def _say(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError):
            self.is_gone = True
