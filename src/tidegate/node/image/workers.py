"""Runs the processes that unpack layers: as many at once as there is work for, and processors."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tidegate.node.image.budget import Limits
from tidegate.node.image.images import ImageCorrupt, ImageError, ImageNoSpace

_COMMAND = (sys.executable, "-I", "-m", "tidegate.node.image.unpack")
_ANSWER_BYTES = 1 << 20
_ERRORS: dict[str, type[ImageError]] = {"corrupt": ImageCorrupt, "no_space": ImageNoSpace}


class _Worker:
    """One process; it ends when its stdin does, so it does not outlive us."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self.process = process
        self._answers = BufferedByteReceiveStream(process.stdout)

    async def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            await self.process.stdin.send(json.dumps(job).encode() + b"\n")
            answer = await self._answers.receive_until(b"\n", _ANSWER_BYTES)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead) as error:
            code = await self.process.wait()
            raise ImageError(f"cannot unpack the layer: the process that does it ended with code {code}") from error
        result: dict[str, Any] = json.loads(answer)
        return result

    async def end(self) -> None:
        with anyio.CancelScope(shield=True):
            if self.process.returncode is None:
                self.process.kill()
            await self.process.aclose()


class Unpackers:
    """Jobs are answered one by one by each process; idle ones are kept until `close_idle`."""

    def __init__(self, count: int, layer_format: str, limits: Limits) -> None:
        self._limiter = anyio.CapacityLimiter(count)
        self._idle: list[_Worker] = []
        self._fixed = {"format": layer_format, "limits": asdict(limits)}

    async def unpack(self, blob: Path, target: Path) -> dict[str, Any]:
        """See `unpack.unpack_layer`. Raises ImageError."""
        return await self._run({"blob": str(blob), "target": str(target)})

    async def take_in(self, source: Path, blob: Path, target: Path) -> dict[str, Any]:
        """See `unpack.take_in`. Raises ImageError."""
        return await self._run({"source": str(source), "blob": str(blob), "target": str(target)})

    async def close_idle(self) -> None:
        """End processes that have nothing to do."""
        while self._idle:
            await self._idle.pop().end()

    async def _run(self, job: dict[str, Any]) -> dict[str, Any]:
        async with self._limiter:
            worker = self._idle.pop() if self._idle else await self._start()
            answered = False
            try:
                answer = await worker.ask({**job, **self._fixed})
                answered = True
            finally:
                if answered:
                    self._idle.append(worker)
                else:
                    await worker.end()
        if "error" in answer:
            raise _ERRORS.get(answer["error"], ImageError)(answer["message"])
        return answer

    async def _start(self) -> _Worker:
        return _Worker(await anyio.open_process(_COMMAND, stderr=None))
