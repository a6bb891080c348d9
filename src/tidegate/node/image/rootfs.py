"""A container's writable root file system: overlayfs over an image's layers, by mount(2)."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from tidegate.kernel import syscalls

_OPTIONS_BYTES = 4095
"""mount(2) takes one page, with its zero byte."""


def plan_options(lowers: Sequence[Path], upper: Path, work: Path, lowers_fd: int) -> str:
    """
    overlayfs's options; `lowers` from the lowest up, all in the directory that `lowers_fd` is open on.

    Where their paths don't fit into the page, they are named through the descriptor. Raises OSError if that is too long
    as well.
    """
    # volatile: what a container writes ends with it, so the disk is never waited for; unmounting would sync it all.
    fixed = f",upperdir={_escape(str(upper))},workdir={_escape(str(work))},index=off,volatile"
    for names in (
        [_escape(str(lower)) for lower in reversed(lowers)],
        [f"/proc/self/fd/{lowers_fd}/{lower.name}" for lower in reversed(lowers)],
    ):
        options = "lowerdir=" + ":".join(names) + fixed
        if len(options.encode()) <= _OPTIONS_BYTES:
            return options
    raise OSError(errno.E2BIG, f"cannot mount {len(lowers)} layers: their names do not fit into a page")


def _escape(path: str) -> str:
    """overlayfs's own: a colon parts layers, a comma options."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def mount_overlay(lowers: Sequence[Path], directory: Path, written: Path, lowers_fd: int) -> Path:
    """Mount at `directory`/rootfs, afresh unless it is mounted; upper and work go to `written`. Raises OSError."""
    rootfs, upper, work = directory / "rootfs", written / "upper", written / "work"
    if os.path.ismount(rootfs):
        return rootfs
    for path in (directory, written):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    top = os.stat(lowers[-1])
    rootfs.mkdir(exist_ok=True)
    for path in (upper, work):
        # What a loss of power left may be half written, and a volatile mount's directories are not taken twice.
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    # The root's owner and mode are those of the upper directory: a container sees what its image says.
    os.chown(upper, top.st_uid, top.st_gid)
    os.chmod(upper, stat.S_IMODE(top.st_mode))
    syscalls.mount("overlay", str(rootfs), "overlay", 0, plan_options(lowers, upper, work, lowers_fd))
    return rootfs


def unmount_overlay(directory: Path) -> None:
    """Unmount, and delete the mount point. Succeeds if there is nothing. Raises OSError."""
    rootfs = directory / "rootfs"
    try:
        syscalls.umount(str(rootfs))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    if rootfs.is_dir():
        # Not rmtree: were it still mounted, everything in it would go.
        rootfs.rmdir()


def delete_written(directory: Path) -> None:
    """Delete what was written to an overlay that is not mounted any more. Succeeds if there is nothing."""
    for name in ("upper", "work"):
        shutil.rmtree(directory / name, ignore_errors=True)
