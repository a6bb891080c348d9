"""Output that nobody wants: its room on the disk is given back, as it comes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import anyio
import structlog

from tidegate.kernel.holes import punch_hole
from tidegate.kernel.inotify import FileWatcher
from tidegate.node.output.backlog import MIB
from tidegate.node.output.pace import Pace, Tally
from tidegate.node.output.sink import Outlet
from tidegate.node.output.tail import KEPT_BYTES

LYING_BYTES: Final = 64 * MIB
"""May lie there unread; beyond it the supervisor can't write, and drops what it is given."""
_log = structlog.get_logger(__name__)


class Discard:
    """One file that is not wanted."""

    def __init__(self, path: Path, watcher: FileWatcher, pace: Pace, outlet: Outlet | None) -> None:
        self.tally = Tally()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._path, self._watcher, self._pace, self._outlet = path, watcher, pace, outlet
        self._freed = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            watch = self._watcher.arm(self._path)
            try:
                if os.fstat(self._fd).st_size <= self._freed + KEPT_BYTES + MIB:
                    await watch.wait()
            finally:
                self._watcher.disarm(watch)
            try:
                await anyio.to_thread.run_sync(self._free)
            except OSError as error:
                _log.warning("output that nobody wants is not freed", file=str(self._path), error=str(error))
            await anyio.sleep(self._pace.linger * 4)

    async def settle(self) -> None:
        """Nothing is on its way."""

    async def drain(self) -> None:
        """Nothing is to be done: the file goes with its bundle."""

    async def begin(self) -> None:
        """Set the limit; nothing has to be remembered."""
        self._limit(os.fstat(self._fd).st_size)

    def _free(self) -> None:
        size = os.fstat(self._fd).st_size
        self._limit(size)
        end = size - KEPT_BYTES
        if end - self._freed > MIB:
            punch_hole(self._fd, self._freed, end)
            self._freed = end

    def _limit(self, size: int) -> None:
        if self._outlet is not None:
            self._outlet.limit_output(size + LYING_BYTES)
