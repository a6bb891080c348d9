"""Input on its way to a command that may not read it: bounded."""

from __future__ import annotations

from collections import deque

import anyio

from tidegate.channel.endpoint import Room

LIMIT_BYTES = 1 << 20
PART_BYTES = 64
"""What a part takes beside its bytes, so that many small ones are no way around the limit."""


class Inbox:
    """Filled by the one who receives, who asks `room` first; emptied by the one who writes."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._is_ended = False
        self._changed = anyio.Event()

    @property
    def room(self) -> Room:
        """Little from the half of the limit on: what a client has on its way still fits."""
        if self._size >= self._limit_bytes:
            return Room.NONE
        return Room.LITTLE if self._size >= self._limit_bytes // 2 else Room.PLENTY

    def put(self, data: bytes) -> None:
        """What comes after the end is dropped."""
        if data and not self._is_ended:
            self._parts.append(data)
            self._size += len(data) + PART_BYTES
            self._changed.set()

    def end(self) -> None:
        """No more will come."""
        self._is_ended = True
        self._changed.set()

    async def get(self) -> bytes:
        """The next part; empty: this was all."""
        while not self._parts:
            if self._is_ended:
                return b""
            self._changed = anyio.Event()
            await self._changed.wait()
        data = self._parts.popleft()
        self._size -= len(data) + PART_BYTES
        return data
