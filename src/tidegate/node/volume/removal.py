"""Takes away what any kind of scratch space has left: a server may be started with another kind than the last one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tidegate.kernel import syscalls


def take_away(directory: Path, task: str) -> None:
    """A task's mount, directory and file; succeeds if there is nothing. Raises OSError."""
    place = directory / task
    while os.path.ismount(place):
        syscalls.umount(str(place))
    if place.is_dir():
        shutil.rmtree(place)
    image_file(directory, task).unlink(missing_ok=True)


def clean(directory: Path) -> None:
    """What earlier servers had made ahead or tried; made if missing, closed to others. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in directory.glob(".*"):
        if path.is_dir():
            for inner in path.iterdir():
                take_away(path, inner.name.removesuffix(".img"))
            path.rmdir()
        else:
            path.unlink()


def find_tasks(directory: Path) -> set[str]:
    """All that something is left of."""
    return {name.removesuffix(".img") for name in os.listdir(directory) if not name.startswith(".")}


def image_file(directory: Path, task: str) -> Path:
    """Where a scratch that is a file lies."""
    return directory / f"{task}.img"
