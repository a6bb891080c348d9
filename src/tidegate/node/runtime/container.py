"""A container under conmon: started, waited for, signalled and removed by what is in its bundle's directory."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio

from tidegate.kernel import failpoint, pidfd
from tidegate.model.session import ExecRequest, ExecSession, SessionFailure
from tidegate.node.runtime import execute, gate
from tidegate.node.runtime.attach import Attacher
from tidegate.node.runtime.bundle import BundleFiles, Created
from tidegate.node.runtime.cgroup.cgroups import CgroupFailure, remove_group
from tidegate.node.runtime.means import Means
from tidegate.node.runtime.runtime import Bundle, ExecResult, Exit, RuntimeFailure, RuntimeTimeout
from tidegate.node.runtime.supervise import clean_message, end_supervisors
from tidegate.node.runtime.valve import find_file_limit, set_file_limit

_KILLED = 128 + signal.SIGKILL
_END_SECONDS = 10
_OTHER_START_SECONDS = 1
_POLL_SECONDS = 0.01
_ENDED = "the container has ended"


class ConmonContainer:
    """See the contract. Holds a pidfd of the container and of its supervisor while they live."""

    def __init__(self, bundle: Bundle, created: Created, means: Means, *, is_recovered: bool = False) -> None:
        self.bundle = bundle
        self.pid = created.container.pid
        self._means = means
        self._files = BundleFiles.of(bundle, means.root)
        self._ended: Exit | None = None
        self._is_kept = True
        self._is_recovered = is_recovered
        self._shares_processes = created.shares_processes
        self._namespace: int | None = None
        self._process = created.container.open()
        self._supervisor = created.supervisor.open()
        self._supervisor_pid = created.supervisor.pid

    def __del__(self) -> None:
        self._release()

    @property
    def is_supervised(self) -> bool:
        """The supervisor lives."""
        return self._supervisor is not None and not pidfd.has_exited(self._supervisor)

    async def start(self) -> None:
        means = self._means
        await failpoint.reach("runtime.start", partial(RuntimeFailure, "start"))
        try:
            fifo = gate.gate_path(means.root, self.bundle.id)
            is_open = await gate.open_gate(
                means.tools.kind, fifo, self._process, self.pid, is_touched=self._is_recovered
            )
        except OSError as error:
            raise RuntimeFailure("start", f"cannot start container {self.bundle.id}: {error}") from error
        if not is_open:
            await self._start_by_runtime()

    async def wait(self) -> Exit:
        if self._ended is None and self._supervisor is not None:
            if self._shares_processes:
                await self._end_with_first_process()
            await pidfd.wait_exited(self._supervisor)
        return await self._settle()

    def process_namespace(self) -> Path:
        if self._namespace is None:
            with suppress(FileNotFoundError):
                self._namespace = os.open(f"/proc/{self.pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        # Looked at after it is held: if the process lives still, what is held is its own.
        if self._namespace is None or self._process is None or pidfd.has_exited(self._process):
            raise RuntimeFailure("create", f"cannot share the processes of container {self.bundle.id}: it has ended")
        return Path(f"/proc/{os.getpid()}/fd/{self._namespace}")

    def kill(self, signal: int) -> None:
        failpoint.hit("runtime.kill")
        if self._process is not None:
            pidfd.send_signal(self._process, signal)

    def hold_output(self) -> None:
        if self._process is None or pidfd.has_exited(self._process):
            self.resume_output()  # or nobody would ever hear how it ended
        elif self._supervisor is not None:
            pidfd.send_signal(self._supervisor, signal.SIGSTOP)

    def resume_output(self) -> None:
        if self._supervisor is not None:
            pidfd.send_signal(self._supervisor, signal.SIGCONT)

    def limit_output(self, size: int) -> None:
        if self.is_supervised:
            set_file_limit(self._supervisor_pid, size)

    def output_limit(self) -> int | None:
        return find_file_limit(self._supervisor_pid) if self.is_supervised else None

    async def exec(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout_seconds: float
    ) -> ExecResult:
        await failpoint.reach("runtime.exec", partial(RuntimeFailure, "exec"))
        session = execute.ExecSession(
            self.bundle, self._means.tools.runtime, self._means.root, self._means.spawner, self._means.cgroups
        )
        return await session.run(command, environment, timeout_seconds)

    async def attach_exec(self, request: ExecRequest) -> ExecSession:
        if self._has_exited():
            raise SessionFailure(_ENDED)
        return await Attacher(self.bundle, self.pid, self._means).start(request)

    def open_root(self) -> int:
        try:
            root = os.open(f"/proc/{self.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise SessionFailure(_ENDED) from error
        # Looked at after the descriptor is held: the pid was not another's then.
        if self._has_exited():
            os.close(root)
            raise SessionFailure(_ENDED)
        return root

    async def remove(self) -> None:
        with anyio.CancelScope(shield=True):
            await failpoint.reach("runtime.remove", partial(RuntimeFailure, "remove"))
            await self._end()
            if self._ended is not None and not self._ended.supervisor_lost:
                # It has ended in order: all that `delete` would do beside this is to be a process of its own.
                shutil.rmtree(self._means.root / self.bundle.id, ignore_errors=True)
            await remove_state(self._means, self.bundle)
            if self._is_kept:
                self._files.forget_end()
            self._release()

    def _has_exited(self) -> bool:
        return self._process is None or pidfd.has_exited(self._process)

    async def _start_by_runtime(self) -> None:
        failure = await self._run_start()
        if failure is not None and not await self._is_started_by_another():
            raise failure

    async def _end_with_first_process(self) -> None:
        if self._process is not None:
            await pidfd.wait_exited(self._process)
        self._means.cgroups.kill(self.bundle.cgroup)

    async def _run_start(self) -> RuntimeFailure | None:
        try:
            finished = await self._means.run_runtime("start", self.bundle.id)
        except TimeoutError as error:
            return RuntimeTimeout("start", str(error), self._means.timeout_seconds)
        except OSError as error:
            return RuntimeFailure("start", f"cannot start container {self.bundle.id}: {error}")
        if finished.code == 0:
            return None
        return RuntimeFailure("start", clean_message(finished.output) or f"start ended with {finished.code}")

    async def _is_started_by_another(self) -> bool:
        """A `start` that an earlier process of ours called may have outlived it, and come first."""
        fifo = gate.gate_path(self._means.root, self.bundle.id)
        with anyio.move_on_after(_OTHER_START_SECONDS):
            while fifo.exists():  # noqa: ASYNC110 - another process is awaited
                await anyio.sleep(_POLL_SECONDS)
        is_alive = self._process is not None and not pidfd.has_exited(self._process)
        return not fifo.exists() and (is_alive or self._files.read_exit() is not None)

    async def _settle(self) -> Exit:
        """The end, from memory, from disk, or made sure of now; kept in both."""
        if self._ended is None:
            self._ended = self._files.read_ended()
        if self._ended is None:
            seen = self._files.read_exit()
            if seen is None:
                await self._end_unsupervised()
                self._ended = Exit(_KILLED, self._ran_out_of_memory(), time.time(), supervisor_lost=True)
            else:
                code, finished_at = seen
                self._ended = Exit(code, code != 0 and self._ran_out_of_memory(), finished_at)
            self._is_kept = self._files.write_ended(self._ended)
        return self._ended

    def _ran_out_of_memory(self) -> bool:
        return self._means.cgroups.oom_kills(self.bundle.cgroup) > 0 or self._files.has_oom_mark()

    async def _end_unsupervised(self) -> None:
        """Nobody would ever tell how it ends: end it now."""
        self.kill(signal.SIGKILL)
        self._means.cgroups.kill(self.bundle.cgroup)
        if self._process is not None:
            with anyio.move_on_after(_END_SECONDS):
                await pidfd.wait_exited(self._process)

    async def _end(self) -> None:
        """Make sure that it has ended and that it is known how."""
        self.kill(signal.SIGKILL)
        with anyio.move_on_after(_END_SECONDS) as scope:
            await self.wait()
        if scope.cancelled_caught:
            await end_supervisors(self.bundle.directory)
            await self._settle()

    def _release(self) -> None:
        for fd in (self._process, self._supervisor, self._namespace):
            if fd is not None:
                os.close(fd)
        self._process = self._supervisor = self._namespace = None


async def remove_state(means: Means, bundle: Bundle) -> None:
    """Take away what the OCI runtime keeps of a container, and its control group. Raises RuntimeFailure("remove")."""
    if (means.root / bundle.id).exists():
        try:
            finished = await means.run_runtime("delete", "--force", bundle.id)
        except (TimeoutError, OSError) as error:
            raise RuntimeFailure("remove", f"cannot remove container {bundle.id}: {error}") from error
        if (means.root / bundle.id).exists():
            why = clean_message(finished.output) or f"delete ended with {finished.code}"
            raise RuntimeFailure("remove", f"cannot remove container {bundle.id}: {why}")
    try:
        await remove_group(means.cgroups, bundle.cgroup)
    except CgroupFailure as error:
        raise RuntimeFailure("remove", str(error)) from error
