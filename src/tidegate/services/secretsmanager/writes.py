"""How the operations on secrets write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidegate.api import secretsmanager as api
from tidegate.services import writes

T = TypeVar("T")


async def settle(attempt: Callable[[], Awaitable[T]]) -> T:
    """`attempt` until it meets no conflict; InternalServiceError if the state can't be written."""
    return await writes.settle(attempt, api.InternalServiceError)
