"""How the log operations write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidegate.api import logs
from tidegate.services import writes

T = TypeVar("T")


async def settle(attempt: Callable[[], Awaitable[T]]) -> T:
    """`attempt` until it meets no conflict; ServiceUnavailableException if the state can't be written."""
    return await writes.settle(attempt, logs.ServiceUnavailableException)
