"""
The directory of one task: all that the node must remember of it across a crash.

    spec.json          what to run; written before anything else is done
    observation.json   the last thing said of it; written before it is said, so that revisions never go back
    stop.json          that it was told to stop, and why
    volumes/NAME/      its volumes
    NAME/              the bundle of one container

Files are swapped in whole, and not synced: after a loss of power nothing of the task runs any more.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TypeVar

import msgspec

from tidegate.model.spec import TaskSpec
from tidegate.model.status import Observation, StopCode

T = TypeVar("T")


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
        """Remember what is about to be said."""
        self._write("observation.json", observation)

    def read_observation(self) -> Observation | None:
        """What was said last."""
        return self._read("observation.json", Observation)

    def write_stop(self, request: StopRequest) -> None:
        """Remember that the task has to stop."""
        self._write("stop.json", request)

    def read_stop(self) -> StopRequest | None:
        """None: it has not been told to stop."""
        return self._read("stop.json", StopRequest)

    def bundle(self, container: str) -> Path:
        """The directory of a container; `c-` keeps its name apart from ours."""
        return self.directory / f"c-{container}"

    def volume(self, name: str) -> Path:
        """The directory of a volume."""
        return self.directory / "volumes" / name

    def remove(self) -> None:
        """Forget the task."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def clear(self) -> None:
        """Delete what the task used, and keep what is known of it."""
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)

    def _write(self, name: str, value: msgspec.Struct) -> None:
        path = f"{self.directory}/{name}"
        aside = f"{path}.new"
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            data = msgspec.json.encode(value)
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        finally:
            os.close(fd)
        os.rename(aside, path)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            data = (self.directory / name).read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(data, type=kind)
