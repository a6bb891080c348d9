"""How operations write: once more after a conflict, and the store's failures as the service's own error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidegate.api.shape import ServiceError
from tidegate.store.store import Conflict, StoreUnavailable

T = TypeVar("T")

Clock = Callable[[], float]
"""Seconds since the epoch."""

ATTEMPTS = 20


async def settle(attempt: Callable[[], Awaitable[T]], refuse: Callable[[str], ServiceError]) -> T:
    """
    `attempt` until nothing that it read was changed before it could write; it reads anew each time.

    refuse: makes the error for a caller whose request could not be written, from the reason.
    """
    for _ in range(ATTEMPTS):
        try:
            return await attempt()
        except Conflict:
            continue
        except StoreUnavailable as error:
            raise refuse(f"cannot write the state: {error}") from error
    raise refuse(f"cannot write the state: it changed under each of {ATTEMPTS} attempts; try again")
