"""
One end of a data channel on an event loop: sends within a window, acknowledges, repeats, hands on in order.

The same for both sides, but for the types of their messages. What carries the frames is given as a function.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto

import anyio
from anyio import current_time

from tidegate.channel.message import (
    ACKNOWLEDGE,
    CHANNEL_CLOSED,
    FIRST,
    INPUT,
    LAST,
    OUTPUT,
    PAUSE_PUBLICATION,
    START_PUBLICATION,
    BadMessage,
    Message,
    decode,
)
from tidegate.channel.payloads import Acknowledge
from tidegate.channel.reliable import Incoming, Outgoing

WINDOW_BYTES = 256 * 1024
_LOOK_SECONDS = 0.1
_MOST_OWED = 4096


class Room(Enum):
    """
    What there is for the next message of the stream.

    LITTLE: it is taken, but acknowledged by `pay` alone, so that a sender with a window waits. NONE: it is dropped
    without a word, and comes again when its sender has waited for long enough.
    """

    PLENTY = auto()
    LITTLE = auto()
    NONE = auto()


class Endpoint:
    """
    is_agent: the side that runs the command. send: sends one binary frame; it may wait.

    Frames that come are given to `take`, one after the other.
    """

    def __init__(
        self, send: Callable[[bytes], Awaitable[None]], *, is_agent: bool, window_bytes: int = WINDOW_BYTES
    ) -> None:
        self._send_frame = send
        self._theirs = INPUT if is_agent else OUTPUT
        self._outgoing = Outgoing(OUTPUT if is_agent else INPUT, window_bytes)
        self._incoming = Incoming()
        self._owed: dict[int, Message] = {}
        self._is_paused = False
        self._changed = anyio.Event()
        self._order = anyio.Lock()

    async def send(self, payload_type: int, payload: bytes) -> None:
        """Send a message of the stream; waits while too much is unacknowledged, or the other side wants a pause."""
        async with self._order:
            while self._is_paused or not self._outgoing.has_room:
                await self._changed.wait()
            await self._send_frame(self._outgoing.send(payload_type, payload, current_time()))

    async def send_beside(self, kind: str, payload: bytes) -> None:
        """Send a message that is no part of the stream."""
        await self._send_frame(Message(kind, payload, flags=FIRST | LAST).encode())

    async def take(self, frame: bytes, room: Callable[[], Room] = lambda: Room.PLENTY) -> list[Message]:
        """
        What a frame brings: messages of the stream in their order, or the word that it is over.

        room: asked what there is for a message of the stream. What has a type that is not known is passed over, as a
        later version may have more. Raises BadMessage.
        """
        message = decode(frame)
        if message.type == self._theirs:
            return await self._take_stream(message, room())
        if message.type == ACKNOWLEDGE:
            content = Acknowledge.decode(message.payload)
            self._outgoing.acknowledge(content.acknowledged_message_sequence_number, current_time())
            self._tell()
        elif message.type in (PAUSE_PUBLICATION, START_PUBLICATION):
            self._is_paused = message.type == PAUSE_PUBLICATION
            self._tell()
        return [message] if message.type == CHANNEL_CLOSED else []

    async def pay(self) -> None:
        """There is plenty of room again: acknowledge what was taken while there was little."""
        owed, self._owed = self._owed, {}
        for message in owed.values():
            await self._acknowledge(message)

    async def _take_stream(self, message: Message, room: Room) -> list[Message]:
        if message.sequence < 0:
            raise BadMessage(f"sequence number {message.sequence}")
        is_taken, ready = self._incoming.arrived(message, has_room=room is not Room.NONE)
        if is_taken and (room is Room.PLENTY or len(self._owed) >= _MOST_OWED):
            await self._acknowledge(message)
        elif is_taken:
            self._owed[message.sequence] = message
        return ready

    async def keep_repeating(self) -> None:
        """For ever: send again what is not acknowledged in time. Raises GivenUp."""
        while True:
            await anyio.sleep(_LOOK_SECONDS)
            data = None if self._is_paused else self._outgoing.overdue(current_time())
            if data is not None:
                await self._send_frame(data)

    async def settle(self, timeout_seconds: float) -> bool:
        """Wait until all is acknowledged; False when the time is up."""
        with anyio.move_on_after(timeout_seconds):
            while not self._outgoing.is_settled:
                await self._changed.wait()
            return True
        return False

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _acknowledge(self, message: Message) -> None:
        content = Acknowledge(
            acknowledged_message_type=message.type,
            acknowledged_message_id=str(message.id),
            acknowledged_message_sequence_number=message.sequence,
        )
        await self.send_beside(ACKNOWLEDGE, content.encode())


def now_iso() -> str:
    """For the dates in payloads."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
