"""
A runtime without processes, verified by the contract suite of the real ones.

It understands as much of a command as tests need: `sh -c "echo TEXT; exit N"` (either part alone, too), `true`, `false`
and `sleep SECONDS` on anyio's clock; anything else is a command that is not there. What a crash leaves is kept in a
`World`, which a second runtime can be given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio

from fakes.channels import Command
from tidegate.model.session import ExecRequest, ExecSession, SessionFailure
from tidegate.node.runtime.runtime import Bundle, ExecResult, Exit, RuntimeFailure

_SCRIPT = re.compile(r"(?:echo (?P<text>[^;]*))?;? ?(?:exit (?P<code>\d+))?")


@dataclass(frozen=True)
class Program:
    """What a command does: say `text`, take `seconds`, end with `code`."""

    text: str = ""
    code: int = 0
    seconds: float = 0


def read_program(command: Sequence[str]) -> Program | None:
    """None: there is no such command."""
    match list(command):
        case ["true"]:
            return Program()
        case ["false"]:
            return Program(code=1)
        case ["sleep", seconds]:
            return Program(seconds=float(seconds))
        case ["sh", "-c", script] if found := _SCRIPT.fullmatch(script):
            return Program(f"{found['text']}\n" if found["text"] else "", int(found["code"] or 0))
    return None


@dataclass
class Life:
    """One container, as the host would know it."""

    program: Program
    started_at: float | None = None
    ended: Exit | None = None
    is_held: bool = False
    output_limit: int | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)

    def change(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


@dataclass
class World:
    """What outlives a crash of ours."""

    configured: set[str] = field(default_factory=set)
    """Ids of those whose configuration is kept."""
    lives: dict[str, Life] = field(default_factory=dict)
    """By container id."""


class FakeContainer:
    """See the contract."""

    def __init__(self, bundle: Bundle, life: Life) -> None:
        self.bundle = bundle
        self.pid = 1
        self._life = life

    async def start(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self._life.started_at is None:
            self._life.started_at = anyio.current_time()
            self._life.change()

    async def wait(self) -> Exit:
        while self._life.ended is None:
            changed = self._life.changed
            if self._life.started_at is None:
                await changed.wait()
                continue
            ends_at = self._life.started_at + self._life.program.seconds
            with anyio.move_on_at(ends_at) as limit:
                await changed.wait()
            if limit.cancelled_caught:
                self._end(self._life.program.code)
        return self._life.ended

    def process_namespace(self) -> Path:
        if self._life.ended is not None:
            raise RuntimeFailure("create", f"container {self.bundle.id} has ended")
        return Path("/fake") / self.bundle.id

    def kill(self, signal: int) -> None:
        self._end(128 + signal)

    def hold_output(self) -> None:
        self._life.is_held = self._life.ended is None

    def resume_output(self) -> None:
        self._life.is_held = False

    def limit_output(self, size: int) -> None:
        self._life.output_limit = size

    def output_limit(self) -> int | None:
        return self._life.output_limit

    async def exec(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout_seconds: float
    ) -> ExecResult:
        program = read_program(command)
        if program is None:
            return ExecResult(127, f"{command[0]}: not found")
        with anyio.move_on_after(timeout_seconds) as limit:
            await anyio.sleep(program.seconds)
        return ExecResult(None if limit.cancelled_caught else program.code, program.text)

    async def attach_exec(self, request: ExecRequest) -> ExecSession:
        await anyio.lowlevel.checkpoint()
        if self._life.started_at is None or self._life.ended is not None:
            raise SessionFailure("the container is not running")
        program = read_program(request.command)
        if program is None:
            raise SessionFailure(f"{request.command[0]}: not found in the container", 127)
        command = Command()
        command.output.give(program.text.encode())
        command.exit(program.code)
        return command

    def open_root(self) -> int:
        raise SessionFailure("it has no files")

    async def remove(self) -> None:
        await anyio.lowlevel.checkpoint()
        self._end(137)

    def _end(self, code: int) -> None:
        if self._life.ended is None:
            self._life.ended = Exit(code, oom_killed=False, finished_at=anyio.current_time())
            self._life.change()


class FakeRuntime:
    """See the contract."""

    name = "fake"

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()

    async def create(self, bundle: Bundle, config: Mapping[str, Any]) -> FakeContainer:
        await anyio.lowlevel.checkpoint()
        command = config["process"]["args"]
        program = read_program(command)
        if program is None:
            raise RuntimeFailure("start", f"executable file {command[0]} not found")
        self.world.configured.add(bundle.id)
        life = self.world.lives[bundle.id] = Life(program)
        return FakeContainer(bundle, life)

    async def recover(self, bundle: Bundle) -> tuple[FakeContainer, Literal["created", "started"]] | None:
        await anyio.lowlevel.checkpoint()
        life = self.world.lives.get(bundle.id)
        if life is None:
            return None
        is_started = life.started_at is not None or life.ended is not None
        return FakeContainer(bundle, life), "started" if is_started else "created"

    def forget(self, bundle: Bundle) -> None:
        self.world.configured.discard(bundle.id)
