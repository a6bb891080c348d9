"""
Children by posix_spawn: the big process is never forked, and nothing is inherited but what is named.

A child gets a session of its own (Ctrl-C at the server's terminal is not for it), default signal dispositions, an
empty signal mask, and exactly the environment and descriptors it is given. Signals 32 and 33, which belong to the C
library and have no names, are left ignored: its posix_spawn does that, and its programs set them again.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel import pidfd, syscalls

_DEFAULTED = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
CLEAN_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


@dataclass(slots=True)
class Child:
    """A child process of ours; `wait` or `reap` must be called once."""

    pid: int
    pidfd: int

    async def wait(self) -> int:
        """Its exit code; 128 + signal number when a signal ended it."""
        await pidfd.wait_exited(self.pidfd)
        return self.reap()

    def kill(self) -> None:
        """SIGKILL to its process group, that is to all of it which did not move away."""
        if not pidfd.has_exited(self.pidfd):
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Collect the exit code, blocking until there is one; frees the descriptor."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


class Spawner:
    """
    Starts children, in this mount namespace or, with `hidden`, in one of their own where those are unmounted.

    The namespace is that of a thread, which all such children start from. It is a slave of ours: what is mounted here
    below a shared mount (see `shared_mount`) appears there as well; what happens there stays there.
    """

    def __init__(self, hidden: Sequence[Path] = ()) -> None:
        self._hidden = tuple(hidden)
        self._thread: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def spawn(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] = CLEAN_ENVIRONMENT,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        keep: Sequence[int] = (),
        third: int | None = None,
        terminal: str | None = None,
        ignore: Sequence[int] = (),
        directory: Path | None = None,
    ) -> Child:
        """
        Start arguments[0] (an absolute path); of its first three descriptors, those that are not given are /dev/null.

        keep: descriptors that the child has under the same number. third: the one that it has as number 3. terminal:
        the path of one that becomes the child's controlling terminal, and all three of its first descriptors.
        ignore: signals that it leaves ignored, which this process has to ignore itself.
        directory: where it starts; None: where we are, or in a namespace of its own at the root. Raises OSError.
        """
        plan = _plan_descriptors((stdin, stdout, stderr), keep, third, terminal)

        def start() -> Child:
            return _posix_spawn(arguments, environment, plan, ignore)

        def start_there() -> Child:
            os.chdir(directory or "/")  # of this thread alone: it shares nothing of its place with others
            return start()

        return self._run(start_there) if self._hidden or directory is not None else start()

    def close(self) -> None:
        """End the thread, and with it (once its last child is gone) the namespace."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def _run(self, start: Callable[[], Child]) -> Child:
        # Waiting for the thread costs nothing extra: posix_spawn holds the interpreter's lock anyway.
        with self._lock:
            if self._thread is None:
                thread = ThreadPoolExecutor(1, thread_name_prefix="spawner")
                thread.submit(self._enter_namespace).result()
                self._thread = thread
        return self._thread.submit(start).result()

    def _enter_namespace(self) -> None:
        if not self._hidden:
            syscalls.unshare(syscalls.CLONE_FS)
            return
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
        for path in self._hidden:
            syscalls.umount(str(path))


_Actions = list[tuple[int, int, str, int, int] | tuple[int, int, int]]


def _plan_descriptors(
    standard: tuple[int | None, int | None, int | None], keep: Sequence[int], third: int | None, terminal: str | None
) -> _Actions:
    actions: _Actions = []
    if terminal is not None:
        # A process that leads a session and has no terminal gets the first that it opens.
        actions.append((os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0))
        actions += [(os.POSIX_SPAWN_DUP2, 0, number) for number in (1, 2)]
    else:
        for number, given in enumerate(standard):
            if given is None:
                mode = os.O_WRONLY if number else os.O_RDONLY
                actions.append((os.POSIX_SPAWN_OPEN, number, os.devnull, mode, 0))
            else:
                actions.append((os.POSIX_SPAWN_DUP2, given, number))
    # dup2 of a descriptor onto itself takes close-on-exec away, in the child alone.
    actions.extend((os.POSIX_SPAWN_DUP2, fd, fd) for fd in keep)
    if third is not None:
        actions.append((os.POSIX_SPAWN_DUP2, third, 3))
    return actions


def _posix_spawn(
    arguments: Sequence[str], environment: Mapping[str, str], actions: _Actions, ignore: Sequence[int]
) -> Child:
    pid = os.posix_spawn(
        arguments[0],
        list(arguments),
        dict(environment),
        file_actions=actions,
        setsid=True,
        setsigmask=[],
        setsigdef=[number for number in _DEFAULTED if number not in ignore],
    )
    held = pidfd.open_pidfd(pid)
    assert held is not None, "a child that was not reaped keeps its pid"
    return Child(pid, held)
