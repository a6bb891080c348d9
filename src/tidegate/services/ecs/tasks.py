"""Tasks that exist: StopTask, DescribeTasks, ListTasks."""

from __future__ import annotations

import msgspec

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.task import Task, TaskDefinition
from tidegate.services.ecs.clusters import get_cluster
from tidegate.services.ecs.limits import check_described, list_page
from tidegate.services.ecs.names import parse_task, task_arn
from tidegate.services.ecs.task_description import describe_task
from tidegate.services.ecs.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store

STOPPED_BY_USER = "Task stopped by user"
MAX_REASON = 1024
_NO_DEFINITION = ecs.TaskDefinition()


class Tasks:
    """The operations on tasks that exist."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def stop_task(self, ctx: Context, request: ecs.StopTaskRequest) -> ecs.StopTaskResponse:
        """Make STOPPED what the task should be; a task that is to stop already keeps its first reason."""
        cluster = get_cluster(self._store, ctx, request.cluster)
        name = task_id(ctx, request.task, cluster.name)
        if request.reason is not None and len(request.reason) > MAX_REASON:
            raise ecs.InvalidParameterException(f"reason can have at most {MAX_REASON} characters.")

        async def attempt() -> Task:
            task = self._find(cluster.name, name)
            if task is None:
                raise ecs.InvalidParameterException("The referenced task was not found.")
            if task.status.desired_status == "STOPPED":
                await self._store.commit()  # whoever stopped it may still wait for the disk
                return task
            status = msgspec.structs.replace(
                task.status,
                desired_status="STOPPED",
                version=task.status.version + 1,
                stop_code="UserInitiated",
                stopped_reason=request.reason or STOPPED_BY_USER,
                stopping_at=self._now(),
            )
            stopping = msgspec.structs.replace(task, status=status)
            await self._store.commit(Put(stopping))
            return stopping

        task = await settle(attempt)
        return ecs.StopTaskResponse(task=self._describe(ctx, task, with_tags=True))

    async def describe_tasks(self, ctx: Context, request: ecs.DescribeTasksRequest) -> ecs.DescribeTasksResponse:
        """Tasks by id or ARN, those that stopped within the last hour too."""
        cluster = get_cluster(self._store, ctx, request.cluster)
        if not request.tasks:
            raise ecs.InvalidParameterException("Tasks cannot be empty.")
        check_described("tasks", request.tasks)
        with_tags = "TAGS" in (request.include or ())
        found, failures = [], []
        for name in dict.fromkeys(task_id(ctx, each, cluster.name) for each in request.tasks):
            task = self._find(cluster.name, name)
            if task is None:
                failures.append(ecs.Failure(arn=task_arn(ctx, cluster.name, name), reason="MISSING"))
            else:
                found.append(self._describe(ctx, task, with_tags=with_tags))
        return ecs.DescribeTasksResponse(tasks=tuple(found), failures=tuple(failures))

    async def list_tasks(self, ctx: Context, request: ecs.ListTasksRequest) -> ecs.ListTasksResponse:
        """The ARNs of a cluster's tasks that should run (or have stopped), oldest first."""
        cluster = get_cluster(self._store, ctx, request.cluster)
        _check_filters(request)
        desired = request.desired_status or "RUNNING"
        found, token = list_page(
            (t for t in self._store.select(Task, "cluster", cluster.name) if _matches(t, request, desired)),
            # Seconds with a fixed width sort as text; the id keeps tasks of one moment apart.
            lambda task: f"{task.status.created_at:020.6f} {task.id}",
            operation="ListTasks",
            token=request.next_token,
            max_results=request.max_results,
        )
        return ecs.ListTasksResponse(
            task_arns=tuple(task_arn(ctx, cluster.name, task.id) for task in found), next_token=token
        )

    def _find(self, cluster: str, name: str) -> Task | None:
        task = self._store.get(Task, name)
        return task if task is not None and task.cluster == cluster else None

    def _describe(self, ctx: Context, task: Task, *, with_tags: bool) -> ecs.Task:
        definition = self._store.get(TaskDefinition, task.definition)
        return describe_task(ctx, task, definition.spec if definition else _NO_DEFINITION, with_tags=with_tags)


def task_id(ctx: Context, identifier: str, cluster: str) -> str:
    """The id in a request's identifier; an ARN must be of the request's cluster."""
    named, task = parse_task(identifier, ctx)
    if named is not None and named != cluster:
        raise ecs.InvalidParameterException(
            f"Invalid identifier: Identifier is for cluster {named}. Your cluster is {cluster}"
        )
    return task


def _check_filters(request: ecs.ListTasksRequest) -> None:
    """Filters that can't go together, and those that name what is never here."""
    others = (request.family, request.container_instance, request.service_name, request.launch_type)
    if request.started_by is not None and any(other is not None for other in others):
        raise ecs.InvalidParameterException("startedBy must be the only filter that you use.")
    if request.service_name is not None:
        raise ecs.ServiceNotFoundException("Service not found.")
    if request.container_instance is not None:
        raise ecs.InvalidParameterException("The referenced container instance was not found.")
    if request.daemon_name is not None:
        raise ecs.InvalidParameterException("cannot list the tasks of a daemon: daemons are not supported yet")


def _matches(task: Task, request: ecs.ListTasksRequest, desired: str) -> bool:
    return (
        task.status.desired_status == desired
        and request.family in (None, task.definition.rpartition(":")[0])
        and request.started_by in (None, task.request.started_by)
        and request.launch_type in (None, "FARGATE")
    )
