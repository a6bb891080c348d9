"""Tidegate's own operations that look into a task: its black box, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.api import ecs, tidegate
from tidegate.api.shape import Context
from tidegate.engine.engine import Engine
from tidegate.model.blackbox import BlackBox, ContainerBox, Memory
from tidegate.model.task import Task, TaskDefinition
from tidegate.services.ecs.names import parse_task, task_arn
from tidegate.services.explain.explain import explain
from tidegate.services.explain.facts import Facts
from tidegate.store.store import Store


class Insight:
    """The operations, as `ControlService` has them. now: seconds since the epoch."""

    def __init__(self, store: Store, engine: Engine, now: Callable[[], float]) -> None:
        self._store = store
        self._engine = engine
        self._now = now

    async def describe_black_box(
        self, ctx: Context, request: tidegate.DescribeBlackBoxRequest
    ) -> tidegate.DescribeBlackBoxResponse:
        """Of a task that runs, as it is now; of one that has stopped, as it was at its end."""
        task = find_task(self._store, ctx, request.task)
        box = await self._engine.black_box(task.id)
        if box is None:
            raise tidegate.BlackBoxNotFoundException(f"nothing is kept of task {request.task}: no node has run it")
        return _describe(task_arn(ctx, task.cluster, task.id), box)

    async def explain_task(self, ctx: Context, request: tidegate.ExplainTaskRequest) -> tidegate.ExplainTaskResponse:
        """In plain words."""
        task = find_task(self._store, ctx, request.task)
        definition = self._store.get(TaskDefinition, task.definition)
        spec = definition.spec if definition is not None else ecs.TaskDefinition()
        found = explain(Facts(task, spec, await self._engine.black_box(task.id), self._now()))
        return tidegate.ExplainTaskResponse(
            task_arn=task_arn(ctx, task.cluster, task.id),
            rule=found.rule,
            is_problem=found.is_problem,
            headline=found.headline,
            cause=found.cause,
            evidence=found.evidence,
            remedies=found.remedies,
        )


def find_task(store: Store, ctx: Context, name: str) -> Task:
    """The task of an id or an ARN. Raises TaskNotFoundException."""
    _, task_id = parse_task(name, ctx)
    task = store.get(Task, task_id)
    if task is None:
        raise tidegate.TaskNotFoundException(f"there is no task {name}")
    return task


def _describe(arn: str, box: BlackBox) -> tidegate.DescribeBlackBoxResponse:
    return tidegate.DescribeBlackBoxResponse(
        task_arn=arn,
        at=box.at,
        is_final=box.is_final,
        memory=_memory(box.memory),
        cpu_seconds=box.cpu_seconds,
        disk_free_bytes=box.disk_free_bytes,
        disk_size_bytes=box.disk_size_bytes,
        containers=tuple(map(_container, box.containers)),
    )


def _container(box: ContainerBox) -> tidegate.BlackBoxContainer:
    return tidegate.BlackBoxContainer(
        name=box.name,
        memory=_memory(box.memory),
        cpu_seconds=box.cpu_seconds,
        log=tuple(tidegate.LogLine(at=line.at, stream=line.stream, text=line.text) for line in box.log),
        is_log_whole=box.is_log_whole,
        changed_files=tuple(
            tidegate.ChangedFile(path=f.path, change=f.change, size_bytes=f.size_bytes) for f in box.changed
        ),
        are_changed_files_whole=box.is_changed_whole,
        written_bytes=box.written_bytes,
        health_probes=tuple(tidegate.HealthProbe(at=p.at, exit_code=p.code, output=p.output) for p in box.probes),
    )


def _memory(memory: Memory) -> tidegate.BlackBoxMemory:
    return tidegate.BlackBoxMemory(
        peak_bytes=memory.peak_bytes,
        limit_bytes=memory.limit_bytes,
        limit_hits=memory.limit_hits,
        kills=memory.kills,
    )
