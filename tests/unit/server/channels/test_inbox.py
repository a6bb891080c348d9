"""Input on its way to a command: in order, bounded, with an end."""

from __future__ import annotations

import anyio
import pytest

from tidegate.channel.endpoint import Room
from tidegate.server.channels.inbox import Inbox

pytestmark = pytest.mark.anyio


async def test_in_order_to_the_end():
    """Parts come out as they went in; empty ones are none; after the end nothing is added."""
    inbox = Inbox()
    for part in (b"a", b"", b"b"):
        inbox.put(part)
    inbox.end()
    inbox.put(b"late")
    assert [await inbox.get() for _ in range(4)] == [b"a", b"b", b"", b""]


async def test_a_reader_waits():
    """Until there is something, or will be nothing any more."""
    inbox = Inbox()
    got: list[bytes] = []

    async def read() -> None:
        got.extend([await inbox.get(), await inbox.get()])

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.sleep(1)
        inbox.put(b"x")
        await anyio.sleep(1)
        assert got == []
        inbox.end()
    assert got == [b"x", b""]


async def test_room():
    """Plenty up to the half of the limit, none from the limit on, and again when parts are taken."""
    inbox = Inbox(limit_bytes=1000)
    rooms = []
    for _ in range(4):
        rooms.append(inbox.room)
        inbox.put(b"x" * 300)
    assert rooms == [Room.PLENTY, Room.PLENTY, Room.LITTLE, Room.NONE]
    for _ in range(3):
        await inbox.get()
    assert inbox.room is Room.PLENTY


async def test_many_small_parts():
    """Are no way around the limit."""
    inbox = Inbox(limit_bytes=6500)
    for _ in range(100):
        inbox.put(b"x")
    assert inbox.room is Room.NONE
