"""Input on its way to a command: in order, bounded, with an end."""

from __future__ import annotations

import anyio
import pytest

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
    """There is room for one more part until the limit is reached, and again when parts are taken."""
    inbox = Inbox(limit_bytes=10)
    inbox.put(b"x" * 9)
    assert inbox.has_room
    inbox.put(b"y" * 9)
    assert not inbox.has_room
    await inbox.get()
    assert inbox.has_room
