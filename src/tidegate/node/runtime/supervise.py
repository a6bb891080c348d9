"""
Starts a container's supervisor, conmon(8), and hears from it how the OCI runtime's `create` went.

conmon reports on a pipe named by _OCI_SYNCPIPE: one line of JSON with `data`, the container's pid, or -1 and a
`message`. By then it has forked into the background, in a session of its own.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import msgspec

from tidegate.kernel import pidfd, process
from tidegate.kernel.spawn import CLEAN_ENVIRONMENT, Child, Spawner
from tidegate.node.runtime.bundle import OPEN_STDIN, BundleFiles
from tidegate.node.runtime.runtime import Bundle, RuntimeFailure, RuntimeTimeout
from tidegate.node.runtime.toolchain import Toolchain

_REPORT_LIMIT_BYTES = 64 * 1024
_END_SECONDS = 10
_RUNC_MESSAGE = re.compile(r'\bmsg="((?:[^"\\]|\\.)*)"')


class _Report(msgspec.Struct):
    data: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Streams:
    """What a container's standard streams are, beside a log: a terminal; an input that stays open."""

    is_terminal: bool = False
    has_stdin: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Streams:
        """As an OCI configuration of ours says."""
        annotations = config.get("annotations", {})
        return cls(bool(config["process"].get("terminal")), annotations.get(OPEN_STDIN) == "true")


def plan_conmon(tools: Toolchain, root: Path, bundle: Bundle, streams: Streams | None = None) -> list[str]:
    """The command line: k8s-file log of unlimited size, all files in the bundle, the runtime's state in `root`."""
    streams = streams or Streams()
    directory, ends = bundle.directory, BundleFiles.of(bundle, root).ends
    arguments = [
        *(str(tools.conmon), "--api-version", "1", "--cid", bundle.id, "--cuuid", bundle.id, "--name", bundle.id),
        *("--runtime", str(tools.runtime), f"--runtime-arg=--root={root}", "--bundle", str(directory)),
        *("--container-pidfile", str(directory / "pid"), "--conmon-pidfile", str(directory / "conmon.pid")),
        *(
            "--persist-dir",
            str(ends),
            "--exit-dir",
            str(ends),
            "--log-path",
            f"k8s-file:{directory / 'log'}",
            "--log-level",
            "error",
        ),
    ]
    # Without one of these it ends at once. The first works for paths beyond the 108 bytes of a socket's address.
    if "full-attach" in tools.conmon_options:
        arguments.append("--full-attach")
    else:
        arguments += ["--socket-dir-path", str(root / "attach")]
    if "no-sync-log" in tools.conmon_options:
        # The log is shipped by us while the machine runs; an fsync would delay each container's end.
        arguments.append("--no-sync-log")
    if streams.is_terminal:
        arguments.append("--terminal")
    if streams.has_stdin:
        arguments += ["--stdin", "--leave-stdin-open"]
    return arguments


async def start_supervisor(
    tools: Toolchain, spawner: Spawner, root: Path, bundle: Bundle, streams: Streams, timeout_seconds: float
) -> int:
    """Run conmon until the container is created; returns the container's pid. Raises RuntimeFailure("create")."""
    files = BundleFiles.of(bundle, root)
    with _pipe() as (reading, writing), files.error.open("wb") as error:
        child = _spawn(plan_conmon(tools, root, bundle, streams), spawner, bundle, writing.take(), error.fileno())
        writing.close()
        try:
            with anyio.fail_after(timeout_seconds):
                line = await _read_line(reading)
        except TimeoutError:
            raise RuntimeTimeout(
                "create", f"cannot create container {bundle.id}: it is not ready", timeout_seconds
            ) from None
        finally:
            await _collect(child)
    return _parse_report(line, bundle, files)


def find_supervisors(directory: Path) -> Iterator[int]:
    """The conmon processes that work for the bundle, however far they are."""
    wanted = str(directory)
    for pid in process.list_pids():
        arguments = process.read_cmdline(pid)
        if wanted in arguments and "--conmon-pidfile" in arguments:
            yield pid


def is_being_started(container: str) -> bool:
    """A `start` that an earlier process of ours called is still at work."""
    return any(process.read_cmdline(pid)[-2:] == ("start", container) for pid in process.list_pids())


async def end_supervisors(directory: Path) -> None:
    """
    Kill all that work for the bundle, with the runtime they are just calling, and wait until they are gone.

    A signal is sent before it has arrived: what is in the middle of making a cgroup still makes it.
    """
    with anyio.move_on_after(_END_SECONDS):
        while workers := list(_find_workers(directory)):
            family = [fd for pid in _families(workers) if (fd := pidfd.open_pidfd(pid)) is not None]
            try:
                for fd in family:
                    pidfd.send_signal(fd, signal.SIGKILL)
                for fd in family:
                    await pidfd.wait_exited(fd)
            finally:
                for fd in family:
                    os.close(fd)


def clean_message(text: str) -> str:
    """The runtime's own words, without the log format that runc wraps them in."""
    found = _RUNC_MESSAGE.findall(text)
    if found:
        text = found[-1].replace('\\"', '"').replace("\\\\", "\\")
    return " ".join(text.split())


class _Closing:
    """A descriptor that is closed once."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def take(self) -> int:
        assert self._fd is not None
        return self._fd

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@contextmanager
def _pipe() -> Iterator[tuple[int, _Closing]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    held = _Closing(writing)
    try:
        yield reading, held
    finally:
        os.close(reading)
        held.close()


def _spawn(arguments: list[str], spawner: Spawner, bundle: Bundle, sync: int, error: int) -> Child:
    environment = {**CLEAN_ENVIRONMENT, "_OCI_SYNCPIPE": str(sync)}
    try:
        return spawner.spawn(
            arguments,
            environment=environment,
            stderr=error,
            keep=[sync],
            ignore=[signal.SIGXFSZ],  # a log that meets its limit (see `valve`) costs lines, not the supervisor
            directory=bundle.directory,  # conmon leaves its note of a lack of memory where it was started
        )
    except OSError as failure:
        raise RuntimeFailure("create", f"cannot start {arguments[0]}: {failure.strerror}") from failure


async def _collect(child: Child) -> None:
    """The first conmon process ends as soon as the second, which stays, is forked."""
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(5):
            await child.wait()
            return
        child.kill()
        child.reap()


async def _read_line(fd: int) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < _REPORT_LIMIT_BYTES:
        await anyio.wait_readable(fd)
        try:
            part = os.read(fd, _REPORT_LIMIT_BYTES)
        except BlockingIOError:
            continue
        if not part:
            break
        data += part
    return data


def _parse_report(line: bytes, bundle: Bundle, files: BundleFiles) -> int:
    try:
        report = msgspec.json.decode(line, type=_Report) if line else _Report(-1)
    except msgspec.DecodeError:
        report = _Report(-1, line.decode(errors="replace"))
    if report.data > 0:
        return report.data
    why = clean_message(report.message) or clean_message(files.error_tail()) or "conmon ended without a word"
    raise RuntimeFailure("start" if is_about_command(why) else "create", why)


def is_about_command(message: str) -> bool:
    """
    The container could be made but its command can't be executed.

    OCI runtimes look for it during `create`; AWS (as docker) calls that a failure to start.
    """
    marks = ("executable file", "open executable", 'exec: "', "exec format error", "Exec format error")
    return any(mark in message for mark in marks)


def _find_workers(directory: Path) -> Iterator[int]:
    """Supervisors, and the runtime that one was just forking when it was killed: such an orphan goes on alone."""
    wanted = str(directory)
    for pid in process.list_pids():
        arguments = process.read_cmdline(pid)
        if wanted in arguments and ("--conmon-pidfile" in arguments or "create" in arguments):
            yield pid


def _families(ancestors: list[int]) -> set[int]:
    """These and their descendants; read before anybody is killed, since orphans change their parent."""
    stats = [stat for pid in process.list_pids() if (stat := process.read_stat(pid))]
    family = set(ancestors)
    while more := {stat.pid for stat in stats if stat.parent in family} - family:
        family |= more
    return family
