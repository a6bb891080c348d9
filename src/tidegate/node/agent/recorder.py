"""Fills, keeps and finds black boxes beside the event loop: they are files, and so is what they are made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import anyio.to_thread
import structlog

from tidegate.model.blackbox import BlackBox
from tidegate.node.agent.blackbox import BlackBoxes, ContainerTraces, Measured, collect

log = structlog.get_logger()


class Recorder:
    """See `blackbox`."""

    def __init__(self, boxes: BlackBoxes) -> None:
        self._boxes = boxes

    async def look(self, task: str, at: float, measured: Measured, traces: Sequence[ContainerTraces]) -> BlackBox:
        """What there is to say of a task now."""
        return await anyio.to_thread.run_sync(partial(collect, task, at, measured, traces, is_final=False))

    async def keep(self, task: str, at: float, measured: Measured, traces: Sequence[ContainerTraces]) -> None:
        """The same, at its end, for as long as it can be asked about."""

        def collect_and_write() -> None:
            try:
                self._boxes.write(collect(task, at, measured, traces, is_final=True))
            except Exception:  # of what a container has left there: its task ends all the same
                log.exception("cannot fill a black box", task=task)

        await anyio.to_thread.run_sync(collect_and_write)

    async def read(self, task: str) -> BlackBox | None:
        """What was kept."""
        return await anyio.to_thread.run_sync(self._boxes.read, task)

    async def retain(self, tasks: Collection[str]) -> None:
        """Drop what was kept of all other tasks."""
        await anyio.to_thread.run_sync(self._boxes.retain, tasks)
