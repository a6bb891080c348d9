"""Which kind of scratch space works on this host: found by trying, in the directory that it will be in."""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio.to_thread

from tidegate.kernel.capabilities import CAP_SYS_RESOURCE, drop_effective
from tidegate.kernel.spawn import Spawner
from tidegate.node.volume.loop import WARM, LoopScratch
from tidegate.node.volume.quota import QuotaScratch
from tidegate.node.volume.removal import clean
from tidegate.node.volume.scratch import MIB, Scratch
from tidegate.node.volume.unlimited import UnlimitedScratch

Wanted = Literal["auto", "quota", "loop", "unlimited"]
Maker = Callable[[Path, bool], Scratch]
"""Of a directory, and whether it is only to be tried there."""

KINDS: dict[Wanted, Maker] = {
    "quota": lambda directory, is_trial: QuotaScratch(directory),
    "loop": lambda directory, is_trial: LoopScratch(directory, Spawner(), warm=0 if is_trial else WARM),
}
"""Those that limit, the best first."""
TRIAL_ROOM_BYTES = 32 * MIB
"""On a disk that has less left a trial says nothing: then it is what it was the last time."""
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
    room = os.statvfs(directory)
    if room.f_bavail * room.f_frsize < TRIAL_ROOM_BYTES and (last := _read_last(directory, wanted)) is not None:
        return Choice(last(directory, False))
    refused = []
    for kind, make in KINDS.items():
        if wanted not in ("auto", kind):
            continue
        try:
            await try_scratch(make(directory / f".trial-{secrets.token_hex(4)}", True))
        except OSError as error:
            refused.append(f"{kind}: {error}")
        else:
            _write_last(directory, kind)
            return Choice(make(directory, False), tuple(refused))
    if wanted not in ("auto", "unlimited"):
        raise NoScratch(f"cannot limit the disks of tasks by {'; '.join(refused)}")
    return Choice(UnlimitedScratch(directory), tuple(refused))


def _read_last(directory: Path, wanted: Wanted) -> Maker | None:
    with suppress(FileNotFoundError):
        last = _last(directory).read_text()
        return next((make for kind, make in KINDS.items() if kind == last and wanted in ("auto", kind)), None)
    return None


def _write_last(directory: Path, kind: Wanted) -> None:
    with suppress(OSError):
        _last(directory).write_text(kind)


def _last(directory: Path) -> Path:
    """Beside the directory, which holds tasks' and nothing else."""
    return directory.with_name(f"{directory.name}.kind")


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
