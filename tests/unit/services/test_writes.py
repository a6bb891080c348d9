"""How operations write when others write at the same time, and when the store can't."""

from __future__ import annotations

import pytest

from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.task import Cluster, Task
from tidegate.services.writes import ATTEMPTS, settle
from tidegate.store.store import Conflict, Put, StoreUnavailable

pytestmark = pytest.mark.anyio


async def test_once_more_after_a_conflict() -> None:
    """A conflict is no answer: what was read is read again."""
    outcomes: list[Exception | str] = [Conflict("task", "1"), Conflict("task", "1"), "done"]

    async def attempt() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert await settle(attempt, ecs.ServerException) == "done"


async def test_not_for_ever() -> None:
    """After many conflicts the caller is told to try again."""
    attempts = []

    async def attempt() -> None:
        attempts.append(1)
        raise Conflict("task", "1")

    with pytest.raises(ecs.ServerException, match="try again"):
        await settle(attempt, ecs.ServerException)
    assert len(attempts) == ATTEMPTS


async def test_unavailable() -> None:
    """What the store can't write is refused at once, with the reason."""

    async def attempt() -> None:
        raise StoreUnavailable("the disk is full; make room")

    with pytest.raises(ecs.ServerException) as caught:
        await settle(attempt, ecs.ServerException)
    assert caught.value.message == "cannot write the state: the disk is full; make room"


async def test_run_task_loses_a_race_for_the_default_cluster(services: Services) -> None:
    """Two first requests make one `default` cluster, and both start their tasks."""
    commit = services.store.commit

    async def commit_second(*changes: Put) -> int:
        services.store.commit = commit  # type: ignore[method-assign]
        await services.ecs.create_cluster(services.ctx, ecs.CreateClusterRequest())
        return await commit(*changes)

    services.store.commit = commit_second  # type: ignore[method-assign,assignment]
    await services.run()
    assert len(list(services.store.select(Task))) == 1
    assert len(list(services.store.select(Cluster))) == 1
