"""
The directory of one task: all that the node must remember of it across a crash.

    spec.json          what to run; written before anything else is done
    observations.json  what was said of it, one a line; written before it is said, so that revisions never go back
    stop.json          that it was told to stop, and why
    c-NAME/            the bundle of one container

Observations are appended: to swap a file in makes some file systems allocate its blocks at once, which takes longer
than the rest of what is done here for a step of a launch. The other files are swapped in whole. Nothing is synced:
after a loss of power nothing of the task runs any more.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from tidegate.kernel import failpoint
from tidegate.model.container_name import host_name
from tidegate.model.spec import TaskSpec
from tidegate.model.status import Observation, StopCode

T = TypeVar("T")
log = structlog.get_logger()

BUNDLE_PREFIX = "c-"
OBSERVATIONS = "observations.json"
OBSERVATIONS_BYTES = 64 * 1024
"""A file of observations that has grown so far begins anew with the last one."""


class StopRequest(msgspec.Struct, frozen=True):
    """Why a task was told to stop."""

    reason: str
    code: StopCode


class Journal:
    """Reads and writes a task's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create(self, spec: TaskSpec) -> None:
        """Begin a task. Raises OSError; then nothing is left."""
        failpoint.hit("journal.create")
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        try:
            self._write("spec.json", spec)
        except OSError:
            self.remove()
            raise

    def read_spec(self) -> TaskSpec | None:
        """None: the task was never begun."""
        return self._read("spec.json", TaskSpec)

    def write_observation(self, observation: Observation) -> None:
        """Remember what is about to be said. Raises OSError; then what was said before still counts."""
        failpoint.hit("journal.write")
        path = f"{self.directory}/{OBSERVATIONS}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            line = msgspec.json.encode(observation) + b"\n"
            if size + len(line) <= OBSERVATIONS_BYTES:
                _append(fd, line, size, path)
                return
        finally:
            os.close(fd)
        self._swap(OBSERVATIONS, line)

    def read_observation(self) -> Observation | None:
        """What was said last. A line that a crash cut short was never said; it goes."""
        path = self.directory / OBSERVATIONS
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        end = data.rfind(b"\n") + 1
        if end < len(data):
            os.truncate(path, end)
        for line in reversed(data[:end].splitlines()):
            with suppress(msgspec.DecodeError):  # what a loss of power left of a block
                return msgspec.json.decode(line, type=Observation)
        return None

    def write_stop(self, request: StopRequest) -> None:
        """Remember that the task has to stop."""
        failpoint.hit("journal.stop")
        self._write("stop.json", request)

    def read_stop(self) -> StopRequest | None:
        """None: it has not been told to stop."""
        return self._read("stop.json", StopRequest)

    def bundle(self, container: str) -> Path:
        """The directory of a container; the prefix keeps its name apart from ours."""
        return self.directory / f"{BUNDLE_PREFIX}{host_name(container)}"

    def retire(self) -> None:
        """Give the name free at once; `remove` takes longer. What is retired is not begun again. Raises OSError."""
        failpoint.hit("journal.retire")
        (self.directory / "spec.json").unlink(missing_ok=True)
        retired = self.directory.with_name(f"{self.directory.name}.retired")
        self.directory = self.directory.rename(retired)

    def remove(self) -> None:
        """Forget the task. What it is goes first: what is left after a crash is not begun again."""
        (self.directory / "spec.json").unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def clear(self) -> None:
        """Delete what the task used, and keep what is known of it."""
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)

    def _write(self, name: str, value: msgspec.Struct) -> None:
        self._swap(name, msgspec.json.encode(value))

    def _swap(self, name: str, data: bytes) -> None:
        path = f"{self.directory}/{name}"
        aside = f"{path}.new"
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _append(fd, data, 0, path)
        finally:
            os.close(fd)
        os.rename(aside, path)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            data = (self.directory / name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as error:
            # After a loss of power a file may be empty or hold anything; nothing of the task runs any more then.
            log.warning(
                "a task's file can't be read; it counts as missing", file=name, task=self.directory.name, why=str(error)
            )
            return None


def _append(fd: int, data: bytes, size: int, path: str) -> None:
    """All of it or nothing, at the end of a file of `size` bytes. Raises OSError."""
    written = os.write(fd, data)
    if written != len(data):
        os.ftruncate(fd, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
