"""
Runs a command in a running container (health checks), within a time limit.

The runtime's `exec` joins the container's namespaces and control group; the command is in a session that nobody else
is in. The command has ended when its own process has; but runc copies the output itself, and waits for all who hold it.
When the limit passes, that session is ended: the command, and what it started, even what went on without it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import msgspec

from tidegate.kernel import pidfd, process
from tidegate.kernel.spawn import Child, Spawner
from tidegate.node.runtime.bundle import CONFIG
from tidegate.node.runtime.cgroup.cgroups import Cgroups
from tidegate.node.runtime.command import BoundedOutput, wait_reading
from tidegate.node.runtime.runtime import Bundle, ExecResult, RuntimeFailure

OUTPUT_LIMIT_BYTES = 4096
"""As much as docker keeps of a health check's output."""
_KILL_ROUNDS = 10
_KILL_POLL_SECONDS = 0.005
_REAP_SECONDS = 1.0
_numbers = count()


def plan_exec(config: Mapping[str, Any], command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """The OCI process for a command: as the container's own, with other arguments and `environment` on top."""
    planned = dict(config["process"])
    names = {*environment}
    kept = [entry for entry in planned.get("env", ()) if entry.partition("=")[0] not in names]
    planned["env"] = [*kept, *(f"{name}={value}" for name, value in environment.items())]
    planned["args"] = list(command)
    planned["terminal"] = False
    return planned


@dataclass(frozen=True, slots=True)
class ExecSession:
    """One exec into one container."""

    bundle: Bundle
    program: Path
    root: Path
    spawner: Spawner
    cgroups: Cgroups

    async def run(self, command: Sequence[str], environment: Mapping[str, str], timeout_seconds: float) -> ExecResult:
        """Raises RuntimeFailure("exec") where the runtime can't be called."""
        number = next(_numbers)
        spec, pid_file = (self.bundle.directory / f"exec-{os.getpid()}-{number}.{end}" for end in ("json", "pid"))
        config = msgspec.json.decode((self.bundle.directory / CONFIG).read_bytes())
        spec.write_bytes(msgspec.json.encode(plan_exec(config, command, environment)))
        try:
            return await self._run(spec, pid_file, timeout_seconds)
        finally:
            spec.unlink(missing_ok=True)
            pid_file.unlink(missing_ok=True)

    async def _run(self, spec: Path, pid_file: Path, timeout_seconds: float) -> ExecResult:
        output = BoundedOutput(OUTPUT_LIMIT_BYTES)
        try:
            child = self._spawn(spec, pid_file, output.writing)
        finally:
            output.close_writing()
        code: int | None = None
        try:
            with anyio.move_on_after(timeout_seconds) as limit:
                await wait_reading(child, output)
        finally:
            with anyio.CancelScope(shield=True):
                ended = await self._finish(child, pid_file)
            text = output.finish()
        if not limit.cancelled_caught:
            code = ended
        return ExecResult(code, text)

    def _spawn(self, spec: Path, pid_file: Path, output: int) -> Child:
        arguments = [str(self.program), f"--root={self.root}", "exec", "--process", str(spec)]
        arguments += ["--pid-file", str(pid_file), self.bundle.id]
        try:
            return self.spawner.spawn(arguments, stdout=output, stderr=output)
        except OSError as error:
            raise RuntimeFailure("exec", f"cannot start {self.program}: {error.strerror}") from error

    async def _finish(self, child: Child, pid_file: Path) -> int:
        """Collect the runtime; if it still runs, end it and the command's session first."""
        if pidfd.has_exited(child.pidfd):
            return child.reap()
        leader = _read_pid(pid_file)
        if leader is not None:
            # With runc the command leads its session, with crun a process between runtime and command did.
            await self._kill_sessions({leader, _session(leader)} - {None})
            # It reaps the command and ends; killed, it would leave that to process 1.
            with anyio.move_on_after(_REAP_SECONDS):
                await pidfd.wait_exited(child.pidfd)
        child.kill()
        return await child.wait()

    async def _kill_sessions(self, leaders: set[int | None]) -> None:
        for _ in range(_KILL_ROUNDS):
            members = [pid for pid in self.cgroups.pids(self.bundle.cgroup) if _session(pid) in leaders]
            if not members:
                return
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await anyio.sleep(_KILL_POLL_SECONDS)


def _session(pid: int) -> int | None:
    stat = process.read_stat(pid)
    return stat.session if stat and stat.state != "Z" else None


def _read_pid(file: Path) -> int | None:
    with suppress(FileNotFoundError):
        text = file.read_text().strip()
        return int(text) if text.isdigit() else None
    return None
