"""
Makes a directory a shared mount: what is mounted below it later is seen in mount namespaces that exist already.

`/` is shared where systemd boots the machine and private elsewhere (containers, small VMs); asking for one directory
of ours is right in both and touches nobody else's mounts.
"""

from __future__ import annotations

import os
from pathlib import Path

from tidegate.kernel import syscalls


def make_shared(directory: Path) -> None:
    """Bind `directory` onto itself as a shared mount, unless it is one. Raises OSError."""
    path = os.path.realpath(directory)
    if not _is_mount_point(path):
        syscalls.mount(path, path, None, syscalls.MS_BIND)
    syscalls.mount("none", path, None, syscalls.MS_SHARED)


def mount_memory(directory: Path, size_mib: int) -> None:
    """Make `directory` a file system in memory, unless it is one: a full disk does not reach it. Raises OSError."""
    path = os.path.realpath(directory)
    os.makedirs(path, mode=0o700, exist_ok=True)
    if not _is_mount_point(path):
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("tmpfs", path, "tmpfs", flags, f"mode=700,size={size_mib}m")


def unmake_shared(directory: Path) -> None:
    """Undo `make_shared`; what is still mounted below goes with it, lazily. Nothing to do if it is no mount."""
    path = os.path.realpath(directory)
    while _is_mount_point(path):
        syscalls.umount(path)


def list_mounts_below(directory: Path) -> list[str]:
    """Mount points inside `directory`, deepest first."""
    prefix = os.path.realpath(directory) + "/"
    return sorted((point for point in _mount_points() if point.startswith(prefix)), key=len, reverse=True)


def _is_mount_point(path: str) -> bool:
    return path in _mount_points()


def _mount_points() -> set[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return {_unescape(line.split(" ", 5)[4]) for line in lines}


def _unescape(field: str) -> str:
    if "\\" not in field:
        return field
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
