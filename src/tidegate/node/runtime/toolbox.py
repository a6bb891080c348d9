"""
The shell for containers that have none: a static busybox of the host, handed in as an open descriptor.

It lies in a file system in memory that is mounted nowhere (see `kernel.detached`). A command that is run with it has a
descriptor of that, number 3, and its PATH ends with /proc/self/fd/3. So nothing is written into the container, nothing
is mounted there, and when the last process of the session has ended nothing of it can be reached any more. Since it is
a read-only copy, a container that opens what it runs can't change the host's program.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tidegate.kernel.detached import create_sealed_mount
from tidegate.kernel.spawn import CLEAN_ENVIRONMENT
from tidegate.node.runtime.toolchain import find_program

DESCRIPTOR = 3
"""The first that OCI runtimes can be told to pass on (--preserve-fds)."""
PLACE = f"/proc/self/fd/{DESCRIPTOR}"
MISSING = "this host has no static busybox to hand in (apt-get install busybox-static)"

_PROGRAM = "busybox"
_COMMON_DIRECTORIES = frozenset({"/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})
_SPARE_BYTES = 4 << 20
_LIST_SECONDS = 10
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_INTERPRETER = 3


class Toolbox:
    """Made when it is first needed. Its methods may block for some milliseconds: call them in a thread."""

    def __init__(self, find: Callable[[str], Path | None] = find_program) -> None:
        self._find_program = find
        self._applets: frozenset[str] = frozenset()
        self._top: int | None = None
        self._why_not: str | None = None

    @property
    def why_not(self) -> str:
        """Why there is nothing to hand in; empty if there is."""
        if self._why_not is None:
            self._why_not = self._open()
        return self._why_not

    @property
    def descriptor(self) -> int:
        """Of the directory of programs; only if `find` has found one."""
        assert self._top is not None, "a program was found in it"
        return self._top

    def find(self, command: str) -> str | None:
        """Where `command` is for a process that has the descriptor; None if it is none of these programs."""
        path = PurePosixPath(command)
        if "/" in command and str(path.parent) not in _COMMON_DIRECTORIES:
            return None
        if self.why_not or path.name not in self._applets:
            return None
        return f"{PLACE}/{path.name}"

    def close(self) -> None:
        """Let go of it; sessions that use it go on."""
        if self._top is not None:
            os.close(self._top)
        self._top, self._why_not = None, None

    def _open(self) -> str:
        program = self._find_program(_PROGRAM)
        if program is None or not is_static(program):
            return MISSING
        try:
            self._applets = _list_applets(program)
            data = program.read_bytes()
            self._top = create_sealed_mount(len(data) + _SPARE_BYTES, lambda top: self._fill(top, data))
        except (OSError, subprocess.SubprocessError) as error:
            return f"cannot hand in {program}: {error}"
        return ""

    def _fill(self, top: int, data: bytes) -> None:
        fd = os.open(_PROGRAM, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755, dir_fd=top)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, 0o755)
            file.write(data)
        for name in self._applets - {_PROGRAM}:
            os.symlink(_PROGRAM, name, dir_fd=top)


def is_static(program: Path) -> bool:
    """A 64-bit ELF file that needs no dynamic loader: it runs wherever it is put."""
    try:
        with program.open("rb") as file:
            header = file.read(_ELF_HEADER.size)
            if len(header) < _ELF_HEADER.size or header[:5] != b"\x7fELF\x02":
                return False
            fields = _ELF_HEADER.unpack(header)
            offset, size, count = fields[5], fields[9], fields[10]
            file.seek(offset)
            table = file.read(size * count)
    except OSError:
        return False
    kinds = (int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), size or 1))
    return _INTERPRETER not in kinds


def _list_applets(program: Path) -> frozenset[str]:
    done = subprocess.run(
        [str(program), "--list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=CLEAN_ENVIRONMENT,
        timeout=_LIST_SECONDS,
        check=True,
    )
    names = done.stdout.decode("ascii", errors="ignore").split()
    return frozenset(name for name in names if "/" not in name)
