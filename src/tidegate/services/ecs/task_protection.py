"""
GetTaskProtection and UpdateTaskProtection: whether a service may end a task, to scale in or to deploy.

Protection is a time on the task's record; what has passed protects nothing. Only tasks that a service started can have
it. Source: Amazon ECS API Reference; the bounds, the default and the failures are its.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.status import LastStatus
from tidegate.model.task import Task
from tidegate.services.ecs.clusters import get_cluster
from tidegate.services.ecs.limits import check_described
from tidegate.services.ecs.names import task_arn
from tidegate.services.ecs.tasks import task_id
from tidegate.services.ecs.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store

DEFAULT_MINUTES = 120
LONGEST_MINUTES = 2880
MOST_UPDATED = 10


class TaskProtection:
    """The operations on the protection of tasks."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def get_task_protection(
        self, ctx: Context, request: ecs.GetTaskProtectionRequest
    ) -> ecs.GetTaskProtectionResponse:
        """As it is now, of tasks by id or ARN."""
        cluster = get_cluster(self._store, ctx, request.cluster).name
        check_described("tasks", request.tasks)
        found, failures = self._find(ctx, cluster, request.tasks)
        shown = tuple(self._show(ctx, task, task.protected_until) for task in found)
        return ecs.GetTaskProtectionResponse(protected_tasks=shown, failures=failures)

    async def update_task_protection(
        self, ctx: Context, request: ecs.UpdateTaskProtectionRequest
    ) -> ecs.UpdateTaskProtectionResponse:
        """Protect from now on for so many minutes, or no more: durable when this returns."""
        cluster = get_cluster(self._store, ctx, request.cluster).name
        if len(request.tasks) > MOST_UPDATED:
            raise ecs.InvalidParameterException(f"tasks can have at most {MOST_UPDATED} items.")
        minutes = request.expires_in_minutes if request.expires_in_minutes is not None else DEFAULT_MINUTES
        if request.protection_enabled and not 1 <= minutes <= LONGEST_MINUTES:
            raise ecs.InvalidParameterException(f"expiresInMinutes must be between 1 and {LONGEST_MINUTES}.")
        until = self._now() + minutes * 60 if request.protection_enabled else None

        async def attempt() -> ecs.UpdateTaskProtectionResponse:
            found, failures = self._find(ctx, cluster, request.tasks)
            await self._store.commit(*(Put(msgspec.structs.replace(task, protected_until=until)) for task in found))
            shown = tuple(self._show(ctx, task, until) for task in found)
            return ecs.UpdateTaskProtectionResponse(protected_tasks=shown, failures=failures)

        return await settle(attempt)

    def _find(
        self, ctx: Context, cluster: str, identifiers: Iterable[str] | None
    ) -> tuple[list[Task], tuple[ecs.Failure, ...]]:
        """The tasks that can be protected, each once, and why the others can't."""
        names = list(dict.fromkeys(task_id(ctx, each, cluster) for each in identifiers or ()))
        if not names:
            raise ecs.InvalidParameterException("Tasks cannot be empty.")
        found, failures = [], []
        for name in names:
            task = self._store.get(Task, name)
            if task is None or task.cluster != cluster:
                failures.append(ecs.Failure(arn=task_arn(ctx, cluster, name), reason="MISSING"))
            elif not task.service or task.status.last_status is LastStatus.STOPPED:
                failures.append(ecs.Failure(arn=task_arn(ctx, cluster, name), reason="TASK_NOT_VALID"))
            else:
                found.append(task)
        return found, tuple(failures)

    def _show(self, ctx: Context, task: Task, until: float | None) -> ecs.ProtectedTask:
        is_protected = until is not None and until > self._now()
        return ecs.ProtectedTask(
            task_arn=task_arn(ctx, task.cluster, task.id),
            protection_enabled=is_protected,
            expiration_date=until if is_protected else None,
        )
