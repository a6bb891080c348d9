"""Runs something beside a block of code, for as long as that lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def running(task: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """
    `task` runs until the block is left, and is cancelled then.

    What the block raises is raised as it is, not within a group of exceptions.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(task)
        try:
            yield
        except Exception as error:  # carried past the task group, unchanged
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
