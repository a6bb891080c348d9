"""RunTask: checks a request, writes its tasks in one commit, and answers. The reconciler does the rest."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import Literal

import msgspec

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.spec import PublishedPort
from tidegate.model.status import ContainerStatus, LastStatus, TaskStatus
from tidegate.model.task import ClientToken, Cluster, Task, TaskDefinition
from tidegate.services.ecs.client_tokens import check_same, fingerprint, is_expired, stopped_replay
from tidegate.services.ecs.clusters import get_cluster, new_cluster
from tidegate.services.ecs.definitions import resolve
from tidegate.services.ecs.definitions.lookup import find
from tidegate.services.ecs.launch_rules import (
    check_capacity,
    check_definition,
    check_execute_command,
    check_members,
    check_published,
    task_tags,
)
from tidegate.services.ecs.names import DEFAULT_CLUSTER, parse_cluster
from tidegate.services.ecs.overrides import check_overrides
from tidegate.services.ecs.platform import check_platform
from tidegate.services.ecs.published import published_ports
from tidegate.services.ecs.role_use import wanted_roles
from tidegate.services.ecs.settings import log_mode
from tidegate.services.ecs.tag_rules import Tags
from tidegate.services.ecs.task_description import describe_task
from tidegate.services.ecs.task_network import check_network
from tidegate.services.ecs.writes import settle
from tidegate.services.iam.task_roles import RolePlan, RoleUnusable, TaskRoles
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store


@dataclass(frozen=True, slots=True)
class _Launch:
    """A request that has passed every check: what its tasks have in common."""

    request: ecs.RunTaskRequest
    """With the overrides' sizes in plain units."""
    cluster: Cluster
    definition: TaskDefinition
    provider: str | None
    tags: Tags
    published: tuple[PublishedPort, ...]
    roles: RolePlan
    containers: tuple[ContainerStatus, ...]
    log_mode: Literal["blocking", "non-blocking"]
    created_at: float


class RunTask:
    """The operation RunTask."""

    def __init__(self, store: Store, now: Clock, roles: TaskRoles) -> None:
        self._store = store
        self._now = now
        self._roles = roles

    async def run_task(self, ctx: Context, request: ecs.RunTaskRequest) -> ecs.RunTaskResponse:
        """
        Start tasks: durable and PROVISIONING when this returns.

        Whether there is room is found out later: a task that finds none waits, or stops with the reason.
        """
        found = find(self._store, request.task_definition, ctx)
        # The revision that the caller was allowed to run, also if its family has a newer one when a conflict is over.
        definition = found.key if found is not None else request.task_definition
        return await settle(lambda: self._attempt(ctx, request, definition))

    async def _attempt(self, ctx: Context, request: ecs.RunTaskRequest, definition: str) -> ecs.RunTaskResponse:
        cluster = self._cluster(ctx, request)
        check_members(request)
        token = self._store.get(ClientToken, f"{cluster.name}/{request.client_token}") if request.client_token else None
        if token is not None and not is_expired(self._store, token, self._now()):
            check_same(ctx, token, request)
            await self._store.commit()  # the first request may still wait for the disk
            return self._replay(ctx, token)
        launch = self._check(ctx, request, cluster, definition)
        ids = [secrets.token_hex(16) for _ in range(request.count or 1)]
        tasks = [_new_task(launch, task, ids[0]) for task in ids]
        changes = [*launch.roles.changes, *(Put(task) for task in tasks)]
        if cluster.revision == 0:
            changes.append(Put(cluster))
        if request.client_token:
            changes.append(Put(_new_token(launch, request, tasks, token)))
        await self._store.commit(*changes)
        spec = launch.definition.spec
        return ecs.RunTaskResponse(
            tasks=tuple(describe_task(ctx, task, spec, with_tags=True) for task in tasks), failures=()
        )

    def _cluster(self, ctx: Context, request: ecs.RunTaskRequest) -> Cluster:
        """The cluster named; `default` comes into being here, with its first use."""
        name = parse_cluster(request.cluster, ctx)
        if name == DEFAULT_CLUSTER and self._store.get(Cluster, name) is None:
            return new_cluster(self._store, ctx, ecs.CreateClusterRequest())
        return get_cluster(self._store, ctx, request.cluster)

    def _check(self, ctx: Context, request: ecs.RunTaskRequest, cluster: Cluster, named: str) -> _Launch:
        provider = check_capacity(request, cluster)
        definition = resolve(self._store, named, ctx)
        check_definition(definition)
        check_execute_command(request, definition)
        check_network(self._store, request.network_configuration)
        overrides = check_overrides(request.overrides, definition.spec)
        if overrides is not request.overrides:
            request = msgspec.structs.replace(request, overrides=overrides)
        check_platform(request, definition.spec)
        tags = task_tags(request, cluster, definition)
        published = published_ports(tags)
        check_published(self._store, published, request.count or 1)
        try:
            roles = self._roles.plan(ctx, wanted_roles(ctx, definition, request))
        except RoleUnusable as error:
            raise ecs.ClientException(str(error)) from error
        return _Launch(
            request=request,
            cluster=cluster,
            definition=definition,
            provider=provider,
            tags=tags,
            published=published,
            roles=roles,
            containers=_containers(definition.spec),
            log_mode=log_mode(self._store, ctx),
            created_at=self._now(),
        )

    def _replay(self, ctx: Context, token: ClientToken) -> ecs.RunTaskResponse:
        """What the first request with this token has led to."""
        return ecs.RunTaskResponse(
            tasks=tuple(self._replayed(ctx, token.cluster, task) for task in token.tasks), failures=token.failures
        )

    def _replayed(self, ctx: Context, cluster: str, name: str) -> ecs.Task:
        task = self._store.get(Task, name)
        if task is None or task.status.last_status is LastStatus.STOPPED:
            return stopped_replay(ctx, cluster, name)
        definition = self._store.get(TaskDefinition, task.definition)
        return describe_task(ctx, task, definition.spec if definition else ecs.TaskDefinition(), with_tags=True)


def _containers(definition: ecs.TaskDefinition) -> tuple[ContainerStatus, ...]:
    return tuple(
        ContainerStatus(
            name=c.name or "",
            has_health_check=c.health_check is not None and c.health_check.command[:1] != ("NONE",),
        )
        for c in definition.container_definitions or ()
    )


def _new_task(launch: _Launch, task: str, first: str) -> Task:
    return Task(
        id=task,
        launch=first,
        cluster=launch.cluster.name,
        definition=launch.definition.key,
        group=launch.request.group or f"family:{launch.definition.family}",
        capacity_provider=launch.provider,
        request=launch.request,
        container_ids={container.name: str(uuid.uuid4()) for container in launch.containers},
        tags=launch.tags,
        published=launch.published,
        made_roles=launch.roles.made,
        log_mode=launch.log_mode,
        status=TaskStatus(
            last_status=LastStatus.PROVISIONING, containers=launch.containers, created_at=launch.created_at
        ),
    )


def _new_token(
    launch: _Launch, request: ecs.RunTaskRequest, tasks: list[Task], expired: ClientToken | None
) -> ClientToken:
    assert request.client_token is not None
    return ClientToken(
        revision=expired.revision if expired else 0,
        cluster=launch.cluster.name,
        token=request.client_token,
        fingerprint=fingerprint(request),
        tasks=tuple(task.id for task in tasks),
        created_at=launch.created_at,
    )
