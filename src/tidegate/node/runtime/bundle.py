"""
The files in a bundle's directory by which a container is found again after a crash of ours.

    config.json      a link to the OCI configuration, which holds the container's environment: it is in memory, 0600
    conmon.pid       the supervisor's pid; written by it
    pid              the container's; written by the OCI runtime
    created.json     who these two are beyond their pids; written by us when `create` has succeeded
    exit             the exit code; written by the supervisor
    ended.json       the Exit, with what the control group told; written by us when the end was first seen
    log              the output, in the CRI format
    error            what supervisor and runtime said on stderr
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from tidegate.kernel import pidfd, process
from tidegate.node.runtime.runtime import Bundle, Exit

CONFIG = "config.json"
OPEN_STDIN = "tidegate.stdin"
"""An annotation of a configuration: the container's standard input stays open."""
_ERROR_TAIL_BYTES = 2_000
_LEFT_OVER = ("conmon.pid", "pid", "created.json", "exit", "ended.json", "oom", "error", "attach", "ctl", "winsz")
_Value = TypeVar("_Value")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A process, told apart from a later one with the same pid."""

    pid: int
    start_ticks: int
    boot: str

    def open(self) -> int | None:
        """A pidfd of it; None if it is gone."""
        if self.boot != process.boot_id():
            return None
        fd = pidfd.open_pidfd(self.pid)
        if fd is None:
            return None
        # Looked at after the descriptor is held: what has this start time now is what the descriptor holds.
        stat = process.read_stat(self.pid)
        if stat is not None and stat.start_ticks == self.start_ticks and stat.state != "Z":
            return fd
        os.close(fd)
        return None


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """The processes of a created container."""

    container: Identity
    supervisor: Identity
    shares_processes: bool = False
    """Its process namespace is not its own: the kernel does not end it with its first process."""


def identify(pid: int) -> Identity | None:
    """The identity of a live process; None if it is gone."""
    stat = process.read_stat(pid)
    return Identity(pid=pid, start_ticks=stat.start_ticks, boot=process.boot_id()) if stat else None


@dataclass(frozen=True, slots=True)
class BundleFiles:
    """Reads and writes them."""

    directory: Path
    container: str
    """The container's id."""
    ends: Path
    """Where the supervisor writes how it ended."""
    config: Path
    """Where the configuration really is."""

    @classmethod
    def of(cls, bundle: Bundle, root: Path | None = None) -> BundleFiles:
        """
        The files of a bundle. Those of its end, and its configuration, are the runtime's, in `root`: no full disk
        reaches it, and what is secret does not reach the disk.
        """
        if root is None:
            return cls(bundle.directory, bundle.id, bundle.directory, bundle.directory / CONFIG)
        return cls(bundle.directory, bundle.id, root / f".end-{bundle.id}", root / f".config-{bundle.id}")

    @property
    def log(self) -> Path:
        """Where the supervisor writes the output."""
        return self.directory / "log"

    @property
    def error(self) -> Path:
        """Where supervisor and runtime complain."""
        return self.directory / "error"

    def write_config(self, data: bytes) -> None:
        """The configuration, for us and the runtime alone. Raises OSError."""
        fd = os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        link = self.directory / CONFIG
        link.unlink(missing_ok=True)
        link.symlink_to(self.config)

    def forget_config(self) -> None:
        """Drop the configuration; the container can't be created again."""
        self.config.unlink(missing_ok=True)
        (self.directory / CONFIG).unlink(missing_ok=True)

    def read_created(self) -> Created | None:
        """None if `create` never came to its end."""
        return self._read("created.json", Created)

    def write_created(self, created: Created) -> None:
        """From here on the container can be recovered."""
        self._write("created.json", created)

    def read_ended(self) -> Exit | None:
        """None if nobody has seen the end yet."""
        return self._read("ended.json", Exit)

    def write_ended(self, ended: Exit) -> bool:
        """The last word on how it ended; survives the removal of the control group. False: the disk is full."""
        try:
            self._write("ended.json", ended)
        except OSError:
            return False
        return True

    def read_exit(self) -> tuple[int, float] | None:
        """Code and time of the end as the supervisor saw it; None before that."""
        for name in ("exit", self.container):  # the second is where an older conmon writes it
            path = self.ends / name
            try:
                text, modified_at = path.read_text().strip(), path.stat().st_mtime
            except FileNotFoundError:
                continue
            if text.lstrip("-").isdigit():
                return int(text) & 0xFF, modified_at
        return None

    def has_oom_mark(self) -> bool:
        """The supervisor saw the kernel kill for want of memory."""
        return any((place / "oom").exists() for place in (self.ends, self.directory))

    def error_tail(self) -> str:
        """The end of what supervisor and runtime said on stderr, in one line."""
        try:
            data = self.error.read_bytes()[-_ERROR_TAIL_BYTES:]
        except FileNotFoundError:
            return ""
        return " ".join(data.decode(errors="replace").split())

    def forget_end(self) -> None:
        """Drop what the supervisor wrote of the end."""
        if self.ends != self.directory:
            shutil.rmtree(self.ends, ignore_errors=True)

    def end_log(self) -> None:
        """What an earlier supervisor wrote ends with a whole line, whatever it died of: the next one appends to it."""
        with suppress(FileNotFoundError), self.log.open("r+b") as file:
            if file.seek(0, os.SEEK_END) > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def clear(self) -> None:
        """Drop what an earlier container of the same bundle left, the rootfs and its output aside."""
        self.forget_end()
        for name in (*_LEFT_OVER, self.container):
            (self.directory / name).unlink(missing_ok=True)

    def _read(self, name: str, kind: type[_Value]) -> _Value | None:
        try:
            return msgspec.json.decode((self.directory / name).read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _write(self, name: str, value: object) -> None:
        # Whole or not at all: a reader after a crash sees no half of it.
        temporary = self.directory / f"{name}.new"
        temporary.write_bytes(msgspec.json.encode(value))
        temporary.replace(self.directory / name)
