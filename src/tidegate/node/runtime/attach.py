"""
Starts a command in a running container for somebody who talks to it: pipes or a terminal, and its end.

The runtime's `exec` stays beside the command, as its parent, and ends with its exit code. With a terminal, crun makes
one in the container and hands us its near end: so if we are killed, the kernel hangs up. runc does that only for
commands whose code it does not wait for; it gets a terminal of the host and passes on what comes, SIGHUP included.
A command that the container has not got, a shell above all, is taken from the toolbox.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from tidegate.kernel import console, failpoint, pidfd
from tidegate.kernel.spawn import Child
from tidegate.model.session import ExecRequest, SessionFailure, TerminalSize
from tidegate.node.runtime.bundle import CONFIG
from tidegate.node.runtime.execfiles import ExecFiles
from tidegate.node.runtime.execplan import PlannedExec, plan_command
from tidegate.node.runtime.means import Means
from tidegate.node.runtime.runtime import Bundle, RuntimeFailure
from tidegate.node.runtime.session import Descriptors, Place, RunningCommand, read_complaints

_START_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Attacher:
    """Starts commands in one container."""

    bundle: Bundle
    pid: int
    means: Means

    async def start(self, request: ExecRequest) -> RunningCommand:
        """Raises SessionFailure."""
        try:
            planned = await anyio.to_thread.run_sync(self._plan, request)
            files = ExecFiles.create(self.bundle, planned.process)
        except RuntimeFailure as failure:
            raise SessionFailure(str(failure), 126) from failure
        except (OSError, msgspec.DecodeError) as error:
            raise SessionFailure(f"cannot prepare a command: {error}") from error
        try:
            await failpoint.reach("runtime.attach")
            with anyio.fail_after(_START_SECONDS):
                return await self._start(files, planned, request.terminal)
        except TimeoutError:
            files.remove()
            raise SessionFailure(f"the command did not start within {_START_SECONDS} s") from None
        except OSError as error:
            files.remove()
            raise SessionFailure(f"cannot start a command: {error}") from error
        except BaseException:
            files.remove()
            raise

    def _plan(self, request: ExecRequest) -> PlannedExec:
        config: Mapping[str, Any] = msgspec.json.decode((self.bundle.directory / CONFIG).read_bytes())
        return plan_command(config["process"], request, Path(f"/proc/{self.pid}/root"), self.means.toolbox)

    async def _start(self, files: ExecFiles, planned: PlannedExec, size: TerminalSize | None) -> RunningCommand:
        if size is None:
            return self._start_with_pipes(files, planned)
        if self.means.tools.kind == "crun":
            return await self._start_with_console(files, planned)
        return self._start_with_terminal(files, planned, size)

    def _start_with_pipes(self, files: ExecFiles, planned: PlannedExec) -> RunningCommand:
        input_end, input_near = os.pipe()
        output_near, output_end = os.pipe()
        error_near, error_end = os.pipe()
        try:
            child = self._spawn(files, planned, stdin=input_end, stdout=output_end, stderr=error_end)
        except OSError:
            for fd in (input_near, output_near, error_near):
                os.close(fd)
            raise
        finally:
            for fd in (input_end, output_end, error_end):
                os.close(fd)
        return self._command(child, files, input_near, output_near, error_near)

    async def _start_with_console(self, files: ExecFiles, planned: PlannedExec) -> RunningCommand:
        """What crun itself has to say it says on stderr, which is none of the command's: it is kept in memory."""
        complaints = os.memfd_create("exec", os.MFD_CLOEXEC)
        try:
            with console.console_socket(files.console) as listener:
                child = self._spawn(files, planned, "--console-socket", files.console.name, stderr=complaints)
                terminal = await _accept(listener, child, complaints)
        except BaseException:
            os.close(complaints)
            raise
        return self._command(child, files, terminal, terminal, None, complaints)

    def _start_with_terminal(self, files: ExecFiles, planned: PlannedExec, size: TerminalSize) -> RunningCommand:
        near, path = console.open_terminal()
        try:
            console.set_size(near, size.rows, size.columns)
            child = self._spawn(files, planned, terminal=path)
        except OSError:
            os.close(near)
            raise
        return self._command(child, files, near, near, None)

    def _spawn(self, files: ExecFiles, planned: PlannedExec, *more: str, **descriptors: Any) -> Child:
        arguments = [str(self.means.tools.runtime), f"--root={self.means.root}", "exec"]
        arguments += ["--process", str(files.spec), "--pid-file", str(files.pid), *more]
        if planned.needs_toolbox:
            arguments.append("--preserve-fds=1")
            descriptors["third"] = self.means.toolbox.descriptor
        return self.means.spawner.spawn([*arguments, self.bundle.id], directory=self.bundle.directory, **descriptors)

    def _command(
        self,
        child: Child,
        files: ExecFiles,
        input_fd: int,
        output_fd: int,
        errors_fd: int | None,
        complaints: int | None = None,
    ) -> RunningCommand:
        place = Place(self.bundle, self.means.cgroups, files)
        return RunningCommand(child, place, Descriptors(input_fd, output_fd, errors_fd, complaints))


async def _accept(listener: console.ConsoleSocket, child: Child, complaints: int) -> int:
    """The terminal. Raises SessionFailure with the reason when the runtime has ended without making one."""
    terminal: int | None = None
    try:
        async with anyio.create_task_group() as group:

            async def take() -> None:
                nonlocal terminal
                terminal = await listener.accept()
                group.cancel_scope.cancel()

            group.start_soon(take)
            await pidfd.wait_exited(child.pidfd)
            group.cancel_scope.cancel()
    except BaseException:
        if terminal is not None:
            os.close(terminal)
        child.kill()
        child.reap()
        raise
    if terminal is None:
        child.reap()
        raise SessionFailure(read_complaints(complaints) or "the command did not start", 126)
    return terminal
