"""Which kind of scratch space works on this host: found by trying, in the directory that it will be in."""

from __future__ import annotations

import errno
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio.to_thread

from tidegate.kernel.spawn import Spawner
from tidegate.node.volume.loop import LoopScratch
from tidegate.node.volume.removal import clean
from tidegate.node.volume.scratch import MIB, Scratch
from tidegate.node.volume.unlimited import UnlimitedScratch

Wanted = Literal["auto", "loop", "unlimited"]
_TRIAL_BYTES = 8 * MIB


class NoScratch(Exception):
    """The kind that was asked for does not work here; the message says why."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was found. refused: a line for each kind that would have been better, and why it does not work."""

    scratch: Scratch
    refused: tuple[str, ...] = ()


async def choose_scratch(directory: Path, wanted: Wanted = "auto") -> Choice:
    """The best kind that works in `directory`, made if missing; or the one named. Raises NoScratch, OSError."""
    if wanted == "unlimited":
        return Choice(UnlimitedScratch(directory))
    await anyio.to_thread.run_sync(clean, directory)
    try:
        await try_scratch(LoopScratch(directory / f".trial-{secrets.token_hex(4)}", Spawner(), warm=0))
    except OSError as error:
        why = f"a file system in a file: {error}"
        if wanted == "loop":
            raise NoScratch(f"cannot limit the disks of tasks by {why}") from error
        return Choice(UnlimitedScratch(directory), (why,))
    return Choice(LoopScratch(directory, Spawner()))


async def try_scratch(scratch: Scratch) -> None:
    """Make a small one, see that it fills up, and take it away again. Raises OSError with what does not work."""
    place = scratch.path("trial")
    try:
        async with scratch.open():
            made = await scratch.ensure("trial", _TRIAL_BYTES)
            try:
                if _fill(made / "file") > 2 * _TRIAL_BYTES:
                    raise OSError(errno.EOPNOTSUPP, "more can be written to it than it should hold")
            finally:
                await scratch.remove("trial")
    finally:
        if place.parent.is_dir():
            place.parent.rmdir()


def _fill(path: Path) -> int:
    """How much can be written to a file, up to a little more than it should be."""
    written = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while written < 3 * _TRIAL_BYTES:
            written += os.write(fd, bytes(MIB))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
    finally:
        os.close(fd)
    return written
