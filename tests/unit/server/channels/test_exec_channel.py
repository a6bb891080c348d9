"""A shell's channel on the agent's side: what it sends, what it holds, and what ends it, on virtual time."""

from __future__ import annotations

import json
from dataclasses import replace

import anyio
import pytest
import trio
from anyio import current_time
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from fakes.channels import Client, Command, Line, Starter, served
from tidegate.channel.endpoint import WINDOW_BYTES
from tidegate.channel.message import CHANNEL_CLOSED, INPUT, PAUSE_PUBLICATION, START_PUBLICATION, Message, PayloadType
from tidegate.channel.payloads import Flag, encode_flag, encode_size
from tidegate.model.session import ExecRequest, SessionFailure, TerminalSize
from tidegate.server.channels import exec_channel as module
from tidegate.server.channels import inbox
from tidegate.server.channels.exec_channel import ExecChannel, ExecTarget

pytestmark = pytest.mark.anyio

PIPES = ExecTarget("t", "app", ExecRequest(command=("cat",)), "arn:aws:iam::000000000000:root", is_ours=True)
TERMINAL = replace(PIPES, request=ExecRequest(command=("sh",), terminal=TerminalSize()))
PLUGIN = replace(TERMINAL, is_ours=False)


def channel(target: ExecTarget, command: Command | Exception) -> tuple[ExecChannel, Line, Starter]:
    line, starter = Line(), Starter(command)
    return ExecChannel(target, "s-1", line.socket, starter, None), line, starter


async def test_a_command_in_pipes():
    """Input, output and errors apart, the end of the input, the exit code at the end of all; then it is over."""
    command = Command()
    shell, line, _ = channel(PIPES, command)
    async with served(shell, line) as client:
        await client.shake()
        await client.send(PayloadType.OUTPUT, b"typed")
        await client.send(PayloadType.FLAG, encode_flag(Flag.DISCONNECT))
        await wait_all_tasks_blocked()
        assert (command.input, command.input_ended) == (b"typed", True)
        command.output.give(b"out")
        command.errors.give(b"err")
        command.exit(7)
        told = await client.rest()
    assert sorted(told[:2]) == [(PayloadType.OUTPUT, b"out"), (PayloadType.STANDARD_ERROR, b"err")]
    assert told[2:] == [(PayloadType.EXIT_CODE, b"EXIT_CODE: 7")]
    assert client.closed is not None
    assert client.closed["Output"] == ""
    assert client.ending is not None
    assert (client.ending.code, client.ending.why) == (7, "ended")
    assert command.ends == 1


async def test_the_plugin_is_told_no_exit_code():
    """It would show it; and it is given pieces of at most 1 KiB, as AWS's agent gives them."""
    command = Command()
    shell, line, _ = channel(PLUGIN, command)
    async with served(shell, line) as client:
        await client.shake()
        command.output.give(b"x" * 2500)
        command.exit(7)
        told = await client.rest()
    assert [len(payload) for _, payload in told] == [1024, 1024, 452]
    assert {kind for kind, _ in told} == {PayloadType.OUTPUT}


async def test_a_failed_start():
    """Our client is told as a command would tell it, with its code; the plugin is told why the channel closes."""
    failure = SessionFailure("no such command: nosuch", 127)
    code = (PayloadType.EXIT_CODE, b"EXIT_CODE: 127")
    for target, told in (
        (PIPES, [(PayloadType.STANDARD_ERROR, b"no such command: nosuch\n"), code]),
        (TERMINAL, [(PayloadType.OUTPUT, b"no such command: nosuch\r\n"), code]),
        (PLUGIN, []),
    ):
        shell, line, _ = channel(target, failure)
        async with served(shell, line) as client:
            await client.shake()
            assert await client.rest() == told
        assert client.closed is not None
        assert client.closed["Output"] == ("" if target.is_ours else "no such command: nosuch")


async def test_nobody_answers_the_handshake():
    """After fifteen seconds it is over, and nothing was started."""
    shell, line, starter = channel(PIPES, Command())
    began = current_time()
    async with served(shell, line) as client:
        await client.next()
        assert await client.rest() == []
    assert 15 <= current_time() - began < 21
    assert starter.asked == []
    assert client.ending is not None
    assert client.ending.why == "the handshake was not answered"


async def test_the_size_is_known_before_the_command():
    """A size that comes with the handshake is the one that the command starts with; later ones follow."""
    command = Command()
    shell, line, starter = channel(TERMINAL, command)
    async with served(shell, line) as client:
        await client.send(PayloadType.SIZE, encode_size(TerminalSize(50, 132)))
        await client.endpoint.send(PayloadType.HANDSHAKE_RESPONSE, b'{"ClientVersion":"1"}')
        await wait_all_tasks_blocked()
        assert [request.terminal for request in starter.asked] == [TerminalSize(50, 132)]
        await client.send(PayloadType.SIZE, json.dumps({"cols": 0, "rows": 99999}).encode())
        await wait_all_tasks_blocked()
        assert command.sizes[-1] == TerminalSize(10_000, 1)
        command.exit(0)
        await client.rest()


@pytest.mark.parametrize(("target", "is_cut"), [(TERMINAL, True), (PIPES, False)])
async def test_idle(target: ExecTarget, is_cut: bool):
    """A terminal at which nothing happens for twenty minutes is hung up, a command in pipes is not."""
    command = Command()
    shell, line, _ = channel(target, command)
    async with served(shell, line) as client:
        await client.shake()
        await anyio.sleep(19 * 60)
        command.output.give(b"still here")
        await client.next()
        spoke_at = current_time()
        if is_cut:
            assert await client.rest() == []
            assert 20 * 60 <= current_time() - spoke_at < 20 * 60 + 10
            assert client.closed is not None
            assert client.closed["Output"] == "the session was idle for 20 minutes"
        else:
            await anyio.sleep(3 * 3600)
            assert command.ends == 0
            command.exit(0)
            await client.rest()
    assert command.ends == 1


async def test_a_fast_writer_is_held():
    """While the client acknowledges nothing, no more is read from the command than the window holds."""
    command = Command()
    shell, line, _ = channel(PIPES, command)
    chunk = 32 * 1024
    async with served(shell, line) as client:
        await client.shake()
        for _ in range(100):
            command.output.give(b"x" * chunk)
        await wait_all_tasks_blocked()
        assert command.output.taken <= WINDOW_BYTES + 2 * chunk
        command.exit(0)
        told = await client.rest()
    assert sum(len(payload) for kind, payload in told if kind == PayloadType.OUTPUT) == 100 * chunk


async def test_input_that_nobody_reads_is_not_acknowledged():
    """A client with a window waits; when the command reads at last all goes on at once, with nothing sent twice."""
    command = Command(reads=False)
    shell, line, _ = channel(PIPES, command)
    chunk, count, taken = 64 * 1024, 120, 0
    async with served(shell, line) as client:
        await client.shake()

        async def type_all() -> None:
            nonlocal taken
            for number in range(count):
                await client.send(PayloadType.OUTPUT, bytes([number]) * chunk)
                taken += chunk

        async with anyio.create_task_group() as group:
            group.start_soon(type_all)
            with anyio.move_on_after(1):
                await client.next()
            assert command.input == b""
            assert taken <= inbox.LIMIT_BYTES // 2 + WINDOW_BYTES + 2 * chunk
            command.reads.set()
            with anyio.move_on_after(0.01):
                await client.next()
            group.cancel_scope.cancel()
        assert command.input == b"".join(bytes([number]) * chunk for number in range(count))
        command.exit(0)
        await client.rest()


async def test_a_client_without_a_window():
    """What it sends beyond the limit is dropped, and is not lost: it comes again. Memory is bounded all the same."""
    command = Command(reads=False)
    shell, line, _ = channel(PIPES, command)
    chunk, count = 64 * 1024, 120
    client = Client(line, window_bytes=chunk * count * 2)
    async with served(shell, line, client):
        await client.shake()
        for number in range(count):
            await client.send(PayloadType.OUTPUT, bytes([number]) * chunk)
        command.reads.set()
        with anyio.move_on_after(1):
            await client.next()
        assert len(command.input) <= inbox.LIMIT_BYTES + 2 * chunk
        async with anyio.create_task_group() as group:
            group.start_soon(client.endpoint.keep_repeating)
            with anyio.move_on_after(60):
                await client.next()
            group.cancel_scope.cancel()
        assert command.input == b"".join(bytes([number]) * chunk for number in range(count))
        command.exit(0)
        await client.rest()


async def test_frames_in_any_order():
    """What comes too early waits for its turn; what comes twice counts once."""
    command = Command()
    shell, line, _ = channel(PIPES, command)
    async with served(shell, line) as client:
        await client.shake()
        for number in (3, 1, 3, 2, 1):
            text = str(number).encode()
            await line.send(Message(INPUT, text, PayloadType.OUTPUT, sequence=number).encode())
        await wait_all_tasks_blocked()
        assert command.input == b"123"
        command.exit(0)
        await client.rest()


async def test_a_pause():
    """A client that wants no more for now gets none, and all of it afterwards."""
    command = Command()
    shell, line, _ = channel(PIPES, command)
    async with served(shell, line) as client:
        await client.shake()
        await client.endpoint.send_beside(PAUSE_PUBLICATION, b"")
        await wait_all_tasks_blocked()
        command.output.give(b"later")
        with anyio.move_on_after(5) as quiet:
            await client.next()
        assert quiet.cancelled_caught
        await client.endpoint.send_beside(START_PUBLICATION, b"")
        command.exit(0)
        assert (PayloadType.OUTPUT, b"later") in await client.rest()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("flag", "the client ended it"),
        ("closed", "the client is gone"),
        ("vanished", "the client is gone"),
        ("garbage", "the client sent what is no message: 7 bytes are too few for a message"),
        ("deaf", "a message was sent 3000 times and never acknowledged"),
    ],
)
async def test_what_ends_a_session(how: str, why: str):
    """Whoever ends it, vanishes or does not keep to the protocol: the command is hung up, and the log says why."""
    command = Command()
    shell, line, _ = channel(PIPES, command)
    async with served(shell, line) as client:
        await client.shake()
        await wait_all_tasks_blocked()
        match how:
            case "flag":
                await client.send(PayloadType.FLAG, encode_flag(Flag.TERMINATE))
            case "closed":
                await client.endpoint.send_beside(CHANNEL_CLOSED, b"{}")
            case "vanished":
                line.vanish()
            case "garbage":
                await line.send(b"garbage")
            case "deaf":
                command.output.give(b"hello?")
    assert command.ends == 1
    assert client.ending is not None
    assert (client.ending.code, client.ending.why) == (None, why)


async def test_what_is_left_in_the_background():
    """A daemon that the command left behind holds its output open: the session does not wait for it for long."""
    command = Command()
    shell, line, _ = channel(PIPES, command)
    async with served(shell, line) as client:
        await client.shake()
        ended_at = current_time()
        command.exit(0, closes=False)
        command.output.give(b"last words")
        told = await client.rest()
    assert told == [(PayloadType.OUTPUT, b"last words"), (PayloadType.EXIT_CODE, b"EXIT_CODE: 0")]
    assert module.QUIET_SECONDS <= current_time() - ended_at < 1


@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
def test_no_frame_is_a_mistake_of_ours(frames: list[bytes], with_header: bool):
    """Whatever bytes come as frames, also in a message of the stream: the session ends in its own words or goes on."""

    async def run() -> None:
        command = Command()
        shell, line, _ = channel(TERMINAL, command)
        async with served(shell, line) as client:
            await client.shake()
            for number, data in enumerate(frames, start=1):
                kind = data[0] % 16 if data else 0
                frame = Message(INPUT, data[1:], kind, sequence=number).encode() if with_header else data
                await line.send(frame)
            await wait_all_tasks_blocked()
            command.exit(0)
            line.vanish()
        assert command.ends == 1

    trio.run(run, clock=MockClock(autojump_threshold=0))
