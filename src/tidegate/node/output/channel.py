"""The way of one container's lines: to the log store, or to a receiver of the Forward protocol."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from tidegate.model.log import Burst
from tidegate.model.spec import LogTarget
from tidegate.node.output.sink import LogSink

CHUNK_BYTES: Final = 1024 * 1024


class Channel(Protocol):
    """It alone knows how far the lines of its source were taken."""

    chunk_bytes: int
    """So much of the file is read for one `append`."""

    async def open(self) -> int:
        """The offset in the source to go on from. Raises LogTargetMissing, OSError."""

    async def append(self, bursts: Sequence[Burst], offset: int) -> None:
        """Have lines taken that reach up to `offset`. Raises LogTargetMissing, or whatever is in the way."""

    async def finish(self) -> None:
        """Nothing more comes."""

    async def close(self) -> None:
        """Let go of what it holds."""


class StoreChannel:
    """To a log stream: the store keeps the offset with the lines."""

    chunk_bytes = CHUNK_BYTES

    def __init__(self, sink: LogSink, target: LogTarget, source: str) -> None:
        self._sink, self._target, self._source = sink, target, source

    async def open(self) -> int:
        """See Channel."""
        return await self._sink.open(self._target, self._source)

    async def append(self, bursts: Sequence[Burst], offset: int) -> None:
        """See Channel."""
        await self._sink.append(self._target, self._source, bursts, offset)

    async def finish(self) -> None:
        """See Channel."""

    async def close(self) -> None:
        """See Channel."""


class SentOffset:
    """How far lines were sent, in a file: for a receiver that does not keep it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int:
        """0 if nothing was sent. Raises OSError."""
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return 0
        return int(text) if text.strip().isdigit() else 0

    def write(self, offset: int) -> None:
        """One write over the last, which a kill does not cut. Raises OSError."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.pwrite(fd, b"%020d\n" % offset, 0)
        finally:
            os.close(fd)
