"""Channels that carry a stream: a connection to a port, and files."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from trio.testing import wait_all_tasks_blocked

from fakes.channels import Line, Pipe, Tree, served
from tidegate.channel.stream import Note, decode_note
from tidegate.model.session import Connection, CopyReport, SessionFailure
from tidegate.server.channels.copy_channel import CopyChannel, CopyTarget
from tidegate.server.channels.forward_channel import ForwardChannel, ForwardTarget

pytestmark = pytest.mark.anyio

END = Note(kind="End").encode()
OUT = CopyTarget("t", "app", "/data", is_out=True)
INTO = CopyTarget("t", "app", "/data", is_out=False, into_directory=True)


class Port:
    """A connection whose other side is the test."""

    def __init__(self, *, reads: bool = True) -> None:
        self.says = Pipe()
        self.heard = b""
        self.reads = reads
        self.output_ended = self.closed = False

    async def read(self) -> bytes:
        return await self.says.read()

    async def write(self, data: bytes) -> bool:
        await anyio.lowlevel.checkpoint()
        if self.reads:
            self.heard += data
        return self.reads

    def end_output(self) -> None:
        self.output_ended = True

    def close(self) -> None:
        self.closed = True


def forward(port: Port | SessionFailure) -> tuple[ForwardChannel, Line]:
    async def dial(task: str, number: int) -> Connection:
        await anyio.lowlevel.checkpoint()
        if isinstance(port, SessionFailure):
            raise port
        return port

    line = Line()
    return ForwardChannel(ForwardTarget("t", 5432), line.socket, dial), line


async def test_each_direction_ends_by_itself():
    """A client that sends no more still hears the answer, which ends the connection."""
    port = Port()
    channel, line = forward(port)
    async with served(channel, line) as client:
        await line.send(b"question")
        await line.send(END)
        await wait_all_tasks_blocked()
        assert (port.heard, port.output_ended, port.closed) == (b"question", True, False)
        port.says.give(b"answer")
        port.says.end()
        assert [await line.receive() for _ in range(3)] == [b"answer", END, None]
    assert port.closed
    assert client.ending is not None
    assert client.ending.why == "ended"


async def test_a_port_that_reads_no_more():
    """What it says is still carried; what comes for it is dropped."""
    port = Port(reads=False)
    channel, line = forward(port)
    async with served(channel, line):
        await line.send(b"lost")
        port.says.give(b"last words")
        port.says.end()
        assert [await line.receive() for _ in range(3)] == [b"last words", END, None]
    assert port.closed


@pytest.mark.parametrize("how", ["vanished", "garbage"])
async def test_a_client_that_goes(how: str):
    """Without a word, or with one that is none: the connection is closed."""
    port = Port()
    channel, line = forward(port)
    async with served(channel, line) as client:
        if how == "vanished":
            line.vanish()
        else:
            await line.send("{")
    assert port.closed
    assert client.ending is not None
    assert client.ending.why.startswith("the client is gone" if how == "vanished" else "no note: ")


async def test_a_port_that_does_not_answer():
    """The client is told in words."""
    channel, line = forward(SessionFailure("cannot connect to port 5432 of the task: Connection refused"))
    async with served(channel, line):
        told = await line.receive()
        assert isinstance(told, str)
        assert decode_note(told).message == "cannot connect to port 5432 of the task: Connection refused"
        assert await line.receive() is None


async def test_files_out():
    """The parts as they come, and at the end what was copied and what was not."""
    report = CopyReport(files=2, size_bytes=7, skipped=("/data/socket",))
    line = Line()
    async with served(CopyChannel(OUT, line.socket, Tree([b"abc", b"defg"], report)), line):
        assert [await line.receive() for _ in range(2)] == [b"abc", b"defg"]
        done = await line.receive()
        assert isinstance(done, str)
        assert decode_note(done) == Note(kind="Done", files=2, size_bytes=7, skipped=("/data/socket",))
        assert await line.receive() is None


async def test_files_into():
    """The parts up to the word that these were all; into a directory only, where that is asked for."""
    line, tree = Line(), Tree([], CopyReport(files=1, size_bytes=6))
    async with served(CopyChannel(INTO, line.socket, tree), line):
        for frame in (b"abc", b"", b"def", END):
            await line.send(frame)
        done = await line.receive()
        assert isinstance(done, str)
        assert decode_note(done).kind == "Done"
    assert tree.taken == b"abcdef"
    assert tree.into_directory


@pytest.mark.parametrize("target", [OUT, INTO], ids=["out", "into"])
async def test_a_copy_that_fails(target: CopyTarget):
    """The client is told in words, and nothing is said to be done."""
    line = Line()
    async with served(CopyChannel(target, line.socket, Tree([], SessionFailure("/data: no such file"))), line):
        await line.send(END)
        told = await line.receive()
        assert told == Note(kind="Error", message="/data: no such file").encode()
        assert await line.receive() is None


@pytest.mark.parametrize("target", [OUT, INTO], ids=["out", "into"])
async def test_a_client_that_goes_while_files_are_copied(target: CopyTarget):
    """The copy ends, however much was still to come."""
    line, tree = Line(), Tree([b"x"] * 1_000_000, CopyReport())
    async with served(CopyChannel(target, line.socket, tree), line) as client:
        await line.send(b"part")
        await anyio.lowlevel.checkpoint()
        line.vanish()
    assert client.ending is not None
    assert client.ending.why == "the client is gone"
    assert tree.given < 1_000_000
