"""Which kind of scratch space works on this host: found by trying, in the directory that it will be in."""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio.to_thread

from tidegate.kernel.capabilities import CAP_SYS_RESOURCE, drop_effective
from tidegate.kernel.spawn import Spawner
from tidegate.node.volume.loop import LoopScratch
from tidegate.node.volume.quota import QuotaScratch
from tidegate.node.volume.removal import clean
from tidegate.node.volume.scratch import MIB, Scratch
from tidegate.node.volume.unlimited import UnlimitedScratch

Wanted = Literal["auto", "quota", "loop", "unlimited"]
KINDS: dict[Wanted, Callable[[Path], Scratch]] = {
    "quota": QuotaScratch,
    "loop": lambda directory: LoopScratch(directory, Spawner()),
}
"""Those that limit, the best first."""
_TRIAL_PREFIX = ".trial-"
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
    await anyio.to_thread.run_sync(clean, directory)
    refused = []
    for kind, make in KINDS.items():
        if wanted not in ("auto", kind):
            continue
        try:
            await try_scratch(make(directory / f"{_TRIAL_PREFIX}{secrets.token_hex(4)}"))
        except OSError as error:
            refused.append(f"{kind}: {error}")
        else:
            return Choice(make(directory), tuple(refused))
    if wanted not in ("auto", "unlimited"):
        raise NoScratch(f"cannot limit the disks of tasks by {'; '.join(refused)}")
    return Choice(UnlimitedScratch(directory), tuple(refused))


async def try_scratch(scratch: Scratch) -> None:
    """Make a small one, see that it fills up, and take it away again. Raises OSError with what does not work."""
    place = scratch.path("trial")
    try:
        async with scratch.open():
            try:
                made = await scratch.ensure("trial", _TRIAL_BYTES)
                if await anyio.to_thread.run_sync(_fill, made / "file") > 2 * _TRIAL_BYTES:
                    raise OSError(errno.EOPNOTSUPP, "more can be written to it than it should hold")
            finally:
                await scratch.remove("trial")
    finally:
        if place.parent.is_dir():
            place.parent.rmdir()


def _fill(path: Path) -> int:
    """How much a container can write to a file, up to a little more than it should be. Raises OSError."""
    outcome: list[int | OSError] = []

    def run() -> None:
        try:
            drop_effective(CAP_SYS_RESOURCE)  # ext4 lets whoever has it write beyond quotas; containers have not
            outcome.append(_write(path))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _write(path: Path) -> int:
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
