"""
Runs a command in a running container (health checks), within a time limit.

The runtime's `exec` joins the container's namespaces and control group; the command is in a session that nobody else
is in. The command has ended when its own process has; but runc copies the output itself, and waits for all who hold it.
When the limit passes, that session is ended: the command, and what it started, even what went on without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import msgspec

from tidegate.kernel import pidfd
from tidegate.kernel.spawn import Child, Spawner
from tidegate.node.runtime.bundle import CONFIG
from tidegate.node.runtime.cgroup.cgroups import Cgroups
from tidegate.node.runtime.command import BoundedOutput, wait_reading
from tidegate.node.runtime.execfiles import ExecFiles, Session
from tidegate.node.runtime.runtime import Bundle, ExecResult, RuntimeFailure

OUTPUT_LIMIT_BYTES = 4096
"""As much as docker keeps of a health check's output."""
_REAP_SECONDS = 1.0


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
        config = msgspec.json.decode((self.bundle.directory / CONFIG).read_bytes())
        files = ExecFiles.create(self.bundle, plan_exec(config, command, environment))
        try:
            return await self._run(files, timeout_seconds)
        finally:
            files.remove()

    async def _run(self, files: ExecFiles, timeout_seconds: float) -> ExecResult:
        output = BoundedOutput(OUTPUT_LIMIT_BYTES)
        try:
            child = self._spawn(files, output.writing)
        finally:
            output.close_writing()
        code: int | None = None
        try:
            with anyio.move_on_after(timeout_seconds) as limit:
                await wait_reading(child, output)
        finally:
            with anyio.CancelScope(shield=True):
                ended = await self._finish(child, files)
            text = output.finish()
        if not limit.cancelled_caught:
            code = ended
        return ExecResult(code, text)

    def _spawn(self, files: ExecFiles, output: int) -> Child:
        arguments = [str(self.program), f"--root={self.root}", "exec", "--process", str(files.spec)]
        arguments += ["--pid-file", str(files.pid), self.bundle.id]
        try:
            return self.spawner.spawn(arguments, stdout=output, stderr=output)
        except OSError as error:
            raise RuntimeFailure("exec", f"cannot start {self.program}: {error.strerror}") from error

    async def _finish(self, child: Child, files: ExecFiles) -> int:
        """Collect the runtime; if it still runs, end it and the command's session first."""
        if pidfd.has_exited(child.pidfd):
            return child.reap()
        session = Session.find(self.cgroups, self.bundle, files)
        if session is not None:
            await session.kill()
            # It reaps the command and ends; killed, it would leave that to process 1.
            with anyio.move_on_after(_REAP_SECONDS):
                await pidfd.wait_exited(child.pidfd)
        child.kill()
        return await child.wait()
