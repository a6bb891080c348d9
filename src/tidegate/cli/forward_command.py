"""`tidegate forward`: ports of this machine that lead to ports of a task, also those that it opens for itself alone."""

from __future__ import annotations

import re
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import click
from anyio.abc import SocketStream

from tidegate.api import tidegate
from tidegate.channel.stream import FRAME_BYTES, Note, decode_note
from tidegate.cli.client import Client
from tidegate.cli.complete import complete_tasks
from tidegate.cli.target import Target, find_target, state_option
from tidegate.cli.tasks import find_task, short_id
from tidegate.cli.websocket import DataConnection, Lost, open_session

_PORT = re.compile(r"(?:(?:(?P<address>\[[0-9a-fA-F:]+\]|[^:\[\]]+):)?(?P<local>\d{1,5}):)?(?P<remote>\d{1,5})")
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Forward:
    """A local address and port, and a port of the task. local 0: any that is free."""

    address: str
    local: int
    remote: int


class ForwardType(click.ParamType[Forward]):
    """[[ADDRESS:]LOCAL:]PORT."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Forward:
        """Raises click.BadParameter."""
        if isinstance(value, Forward):
            return value
        found = _PORT.fullmatch(value)
        if found is None:
            self.fail(f"`{value}` is not [[ADDRESS:]LOCAL:]PORT, as in 5432, 8080:80 or 0.0.0.0:8080:80", param, ctx)
        remote = int(found["remote"])
        local = int(found["local"]) if found["local"] else remote
        if not 1 <= remote <= 65535 or local > 65535:
            self.fail(f"`{value}` has a port that is not between 1 and 65535", param, ctx)
        return Forward((found["address"] or LOOPBACK).strip("[]"), local, remote)


@click.command("forward")
@state_option
@click.argument("task", shell_complete=complete_tasks(include_stopped=False))
@click.argument("ports", nargs=-1, required=True, type=ForwardType(), metavar="[[ADDRESS:]LOCAL:]PORT...")
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
def command(state_dir: Path | None, task: str, ports: tuple[Forward, ...], cluster: str) -> None:
    """Lead ports of this machine to ports of TASK until Ctrl-C.

    What a container opens on its own loopback alone can be reached as well. LOCAL 0 takes a port that is free.

    \b
    tidegate forward TASK 5432
    tidegate forward TASK 8080:80 0:9090
    """
    target = find_target(state_dir)
    client = Client(target)
    found = find_task(client, cluster, task)
    forwarding = Forwarding(target, client, cluster, found.task_arn or "")
    forwarding.ask(ports[0].remote)  # whether it can be done at all
    listeners = [(_listen(port), port) for port in ports]
    for listener, port in listeners:
        address, local = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        click.echo(f"{shown}:{local} leads to port {port.remote} of {short_id(found)}")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        anyio.run(forwarding.serve, listeners)


def _listen(port: Forward) -> socket.socket:
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((port.address, port.local))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise click.ClickException(
            f"cannot listen on {port.address}:{port.local}: {error.strerror}. Another: LOCAL:{port.remote}"
        ) from error
    return listener


class Forwarding:
    """One session for each connection: so each is allowed or refused by what holds then."""

    def __init__(self, target: Target, client: Client, cluster: str, task: str) -> None:
        self._target = target
        self._client = client
        self._cluster = cluster
        self._task = task
        self._turn = anyio.Lock()

    def ask(self, port: int) -> tidegate.Session:
        """A session for a connection. Raises click.ClickException."""
        request = tidegate.StartForwardRequest(cluster=self._cluster, task=self._task, port=port)
        session = self._client.tidegate("StartForward", request, tidegate.StartForwardResponse).session
        assert session is not None, "the server answers with a session"
        return session

    async def serve(self, listeners: list[tuple[socket.socket, Forward]]) -> None:
        """For ever."""
        async with anyio.create_task_group() as group:
            for listener, port in listeners:
                group.start_soon(self._accept, listener, port.remote)

    async def _accept(self, listener: socket.socket, port: int) -> None:
        listener.setblocking(False)
        async with anyio.create_task_group() as group:
            while True:
                await anyio.wait_readable(listener)
                try:
                    connection, _ = listener.accept()
                except BlockingIOError:
                    continue
                group.start_soon(self._connect, connection, port)

    async def _connect(self, connection: socket.socket, port: int) -> None:
        """One that fails is told, and the others go on."""
        try:
            async with await SocketStream.from_socket(connection) as local:
                async with self._turn:
                    session = await anyio.to_thread.run_sync(self.ask, port)
                async with open_session(self._target, session) as remote:
                    await carry(local, remote)
        except click.ClickException as error:
            click.echo(f"port {port}: {error.message}", err=True)
        except BaseExceptionGroup as group:
            lost = group.subgroup(click.ClickException)
            if lost is None or group.split(click.ClickException)[1] is not None:
                raise
            click.echo(f"port {port}: {_first(lost)}", err=True)


async def carry(local: SocketStream, remote: DataConnection) -> None:
    """There and back, until both directions have ended. Raises Lost."""
    async with anyio.create_task_group() as group:
        group.start_soon(_send, local, remote)
        while True:
            frame = await remote.receive()
            if isinstance(frame, bytes):
                try:
                    await local.send(frame)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    break
                continue
            note = decode_note(frame)
            if note.kind == "Error":
                raise Lost(note.message)
            if note.kind == "End":
                with suppress(OSError, anyio.BrokenResourceError):
                    await local.send_eof()
                return  # what is still sent is: the group waits for it
        group.cancel_scope.cancel()


async def _send(local: SocketStream, remote: DataConnection) -> None:
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        while True:
            await remote.send(await local.receive(FRAME_BYTES))
    await remote.send(Note(kind="End").encode())


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
