"""
The files of one command in a container, and by them its processes, also after a crash of ours.

    exec-NUMBER.json     the OCI process; private, since its environment is
    exec-NUMBER.pid      the pid of the command; written by the OCI runtime
    exec-NUMBER.tty      the socket on which the runtime hands over the terminal

NUMBER is our pid and a count. Files that an earlier process of ours left belong to a command whose caller is gone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import msgspec

from tidegate.kernel import process
from tidegate.node.runtime.cgroup.cgroups import Cgroups
from tidegate.node.runtime.runtime import Bundle

_KILL_ROUNDS = 10
_KILL_POLL_SECONDS = 0.005
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_SLACK_SECONDS = 0.5
"""Between a process's start, as the kernel counts it, and the time on the file that names it."""
_numbers = count()


@dataclass(frozen=True, slots=True)
class ExecFiles:
    """Of one command. spec: its .json; the others are beside it."""

    spec: Path

    @classmethod
    def create(cls, bundle: Bundle, process: Mapping[str, Any]) -> ExecFiles:
        """With the OCI process written. Raises OSError."""
        files = cls(bundle.directory / f"exec-{os.getpid()}-{next(_numbers)}.json")
        fd = os.open(files.spec, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(process))
        return files

    @classmethod
    def find_left(cls, bundle: Bundle) -> Iterator[ExecFiles]:
        """Those of commands that nobody has tidied up after."""
        for spec in sorted(bundle.directory.glob("exec-*.json")):
            yield cls(spec)

    @property
    def pid(self) -> Path:
        """Where the runtime writes the command's pid."""
        return self.spec.with_suffix(".pid")

    @property
    def console(self) -> Path:
        """Where the runtime hands over the terminal."""
        return self.spec.with_suffix(".tty")

    def read_pid(self) -> int | None:
        """The command's pid; None before it runs. A pid that another process has by now is none."""
        try:
            text, written_at = self.pid.read_text().strip(), self.pid.stat().st_mtime
        except FileNotFoundError:
            return None
        if not text.isdigit():
            return None
        started_at = _started_at(int(text))
        return int(text) if started_at is not None and started_at <= written_at + _SLACK_SECONDS else None

    def remove(self) -> None:
        """Tidy up."""
        for path in (self.spec, self.pid, self.console):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Session:
    """The processes of a command: all in the container that are in the session which the runtime made for it."""

    cgroups: Cgroups
    bundle: Bundle
    leaders: frozenset[int]

    @classmethod
    def find(cls, cgroups: Cgroups, bundle: Bundle, files: ExecFiles) -> Session | None:
        """None if the command does not run, or not yet."""
        leader = files.read_pid()
        if leader is None:
            return None
        # With runc the command leads its session, with crun a process between runtime and command does.
        return cls(cgroups, bundle, frozenset({leader, _session(leader) or leader}))

    def members(self) -> list[int]:
        """Those that live."""
        return [pid for pid in self.cgroups.pids(self.bundle.cgroup) if _session(pid) in self.leaders]

    def signal(self, number: int) -> bool:
        """Send it to all; False if there are none."""
        members = self.members()
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(members)

    async def kill(self) -> None:
        """SIGKILL, until none is left: one may be forking just now."""
        for _ in range(_KILL_ROUNDS):
            if not self.signal(signal.SIGKILL):
                return
            await anyio.sleep(_KILL_POLL_SECONDS)

    async def wait_gone(self, timeout_seconds: float) -> bool:
        """True once none is left; False when the time is up."""
        with anyio.move_on_after(timeout_seconds):
            while self.members():  # noqa: ASYNC110 - of processes that are not ours nothing else tells
                await anyio.sleep(_KILL_POLL_SECONDS * 4)
            return True
        return False


async def end_left_commands(cgroups: Cgroups, bundle: Bundle) -> None:
    """Kill what an earlier process of ours had started in the container for somebody who is gone by now."""
    for files in ExecFiles.find_left(bundle):
        for pid in process.list_pids():
            if str(files.spec) in process.read_cmdline(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        session = Session.find(cgroups, bundle, files)
        if session is not None:
            await session.kill()
        files.remove()


def _session(pid: int) -> int | None:
    stat = process.read_stat(pid)
    return stat.session if stat and stat.state != "Z" else None


def _started_at(pid: int) -> float | None:
    """Seconds since the epoch."""
    stat = process.read_stat(pid)
    return process.booted_at() + stat.start_ticks / _CLOCK_TICKS if stat else None
