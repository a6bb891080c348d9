"""How ECS's operations write: failures of the store as ECS's errors, and another try after a conflict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidegate.api import ecs
from tidegate.store.store import Conflict, Delete, Put, Store, StoreUnavailable

T = TypeVar("T")

Clock = Callable[[], float]
"""Seconds since the epoch."""

_ATTEMPTS = 20


async def commit(store: Store, *changes: Put | Delete) -> int:
    """Store.commit with ServerException in place of StoreUnavailable; Conflict passes, for `settle`."""
    try:
        return await store.commit(*changes)
    except StoreUnavailable as error:
        raise ecs.ServerException(f"cannot write the state: {error}") from error


async def settle(attempt: Callable[[], Awaitable[T]]) -> T:
    """`attempt` until nothing that it read was changed meanwhile; it reads anew each time."""
    for _ in range(_ATTEMPTS):
        try:
            return await attempt()
        except Conflict:
            continue
    raise ecs.ServerException(f"cannot write the state: it changed under each of {_ATTEMPTS} attempts; try again")
