"""What a session shows, kept in a log stream that has the session's name."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
import structlog

from tidegate.model.log import Burst, LogTargetMissing
from tidegate.model.session import SessionFailure
from tidegate.model.spec import LogTarget
from tidegate.node.output.sink import LogSink
from tidegate.store.store import StoreUnavailable

log = structlog.get_logger()

FLUSH_SECONDS = 1.0
LONGEST_LINE_BYTES = 200_000
"""An event has at most 256 KiB; a line that goes on is cut."""


class Transcript:
    """Of one session. Use: `open`, `run` beside the session, `add` for what it shows, `close`."""

    def __init__(self, sink: LogSink, group: str, session: str, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._sink = sink
        self._target = LogTarget(group=group, stream=session)
        self._session = session
        self._now_ns = now_ns
        self._bursts: list[Burst] = []
        self._rest = b""
        self._offset = 0
        self._turn = anyio.Lock()

    async def open(self) -> None:
        """Raises SessionFailure: a session that can't be kept is none."""
        try:
            await self._sink.open(self._target, self._session)
        except LogTargetMissing as error:
            raise SessionFailure(f"the session can't be logged: there is no log group {self._target.group}") from error
        except OSError as error:
            raise SessionFailure(f"the session can't be logged: {error}") from error

    def add(self, data: bytes) -> None:
        """What was shown just now."""
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > LONGEST_LINE_BYTES:
            lines.append(self._rest[:LONGEST_LINE_BYTES])
            self._rest = self._rest[LONGEST_LINE_BYTES:]
        if lines:
            self._note(lines)

    async def run(self) -> None:
        """For ever: store what has come."""
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            with anyio.CancelScope(shield=True):  # what is on its way to the store arrives there
                await self._flush()

    async def close(self) -> None:
        """Store the rest."""
        if self._rest:
            self._note([self._rest])
            self._rest = b""
        await self._flush()

    def _note(self, lines: list[bytes]) -> None:
        self._bursts.append(Burst("stdout", self._now_ns(), [line.rstrip(b"\r") for line in lines]))

    async def _flush(self) -> None:
        async with self._turn:
            bursts, self._bursts = self._bursts, []
            if not bursts:
                return
            try:
                await self._sink.append(self._target, self._session, bursts, self._offset)
            except (LogTargetMissing, StoreUnavailable, OSError) as error:
                log.warning("a session's output was not kept", session=self._session, why=str(error))
