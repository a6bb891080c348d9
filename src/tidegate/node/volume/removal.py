"""Takes away what any kind of scratch space has left: a server may be started with another kind than the last one."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskGroup

from tidegate.kernel import syscalls

AT_ONCE = 2
"""Each may keep the disk busy."""
log = structlog.get_logger()


class Removals:
    """
    Takes tasks' scratch away in the background, each task's once at a time.

    The kernel writes out what it has not written yet before a file system is gone, which no task's end waits for.
    before: is called with a task's id before anything of it goes; raises OSError.
    """

    def __init__(self, directory: Path, before: Callable[[str], None] | None = None) -> None:
        self._directory = directory
        self._before = before
        self._group: TaskGroup | None = None
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._going: dict[str, anyio.Event] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """What was begun inside is done when it is left. What the block raises is raised as it is."""
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            self._group = group
            try:
                yield
            except Exception as error:  # carried past the task group, unchanged
                failure = error
        self._group = None
        if failure is not None:
            raise failure

    def begin(self, task: str) -> None:
        """Take away what there is of a task."""
        assert self._group is not None, "it is open"
        if task not in self._going:
            self._going[task] = anyio.Event()
            self._group.start_soon(self._remove, task)

    async def wait(self, task: str) -> None:
        """Until nothing of it is being taken away: then it may be made anew."""
        going = self._going.get(task)
        if going is not None:
            await going.wait()

    async def _remove(self, task: str) -> None:
        with anyio.CancelScope(shield=True):
            try:
                await anyio.to_thread.run_sync(self._take_away, task, limiter=self._limiter)
            except OSError as error:  # the top of what runs in the background; the next server tries again
                log.error("cannot take away the disk of a task", task=task, why=str(error))
            finally:
                self._going.pop(task).set()

    def _take_away(self, task: str) -> None:
        if self._before is not None:
            self._before(task)
        take_away(self._directory, task)


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
