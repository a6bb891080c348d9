"""The in-task endpoint of this node, wired: what it asks of the agent, of the control plane and of IAM."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import socket

import anyio

from tidegate.api import ecs
from tidegate.api.shape import Context, ServiceError, Session, Shape
from tidegate.engine.local import LocalEngine
from tidegate.model.spec import TaskSpec
from tidegate.model.task import Task
from tidegate.node.endpoint.agent_paths import AgentPaths
from tidegate.node.endpoint.app import EndpointApp
from tidegate.node.endpoint.credentials import (
    LIFETIME_SECONDS,
    CredentialsIds,
    CredentialsUnavailable,
    RoleCredentials,
    SessionCredentials,
)
from tidegate.node.endpoint.credentials_paths import CredentialsPaths
from tidegate.node.endpoint.facts import Counters, StorageUse, TaskFacts
from tidegate.node.endpoint.metadata import Surroundings
from tidegate.node.endpoint.metadata_paths import MetadataPaths
from tidegate.node.endpoint.protection import ProtectionApi, ProtectionError, ProtectionRefused, ProtectionState
from tidegate.node.endpoint.sampling import Sampler
from tidegate.node.endpoint.throttle import Throttle
from tidegate.node.volume.volumes import Volumes
from tidegate.server.authorization import TABLES
from tidegate.server.http import serving
from tidegate.services.ecs.task_protection import TaskProtection
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.gate import RequestGate
from tidegate.services.iam.identities import find_role, session_arn
from tidegate.services.iam.sessions import RoleNotAssumable, Sessions
from tidegate.store.store import Store
from tidegate.wire.gate import Limits

LIMITS = Limits(
    most=2048,
    most_of_one_address=32,
    head_seconds=10,
    body_seconds=10,
    stall_seconds=10,
    head_bytes=16 * 1024,
    headers=64,
    most_pipelined=4,
)
"""Of connections from tasks: any of them may be hostile, and none needs more."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What the endpoint needs of it."""

    store: Store
    sessions: Sessions
    authorizer: Authorizer


@asynccontextmanager
async def serving_endpoint(
    listener: socket,
    engine: LocalEngine,
    control: ControlPlane,
    counters: Counters,
    ids: CredentialsIds,
    resolvers: tuple[str, ...],
    volumes: Volumes,
) -> AsyncIterator[None]:
    """Tasks are answered inside. listener: what they alone reach."""
    sampler = Sampler(counters, engine.is_running)
    credentials = RoleCredentials(RoleSessions(control.sessions), engine.is_running, time.time)
    app = EndpointApp(
        NodeTasks(engine),
        Throttle(anyio.current_time),
        MetadataPaths(
            sampler, TaskTags(control.store), Surroundings(resolvers), time.time, storage=TaskStorage(volumes)
        ),
        CredentialsPaths(ids, credentials),
        AgentPaths(ProtectionApi(RoleProtection(control))),
    )
    async with serving(app, listener, LIMITS):
        yield


@dataclass(frozen=True, slots=True)
class NodeTasks:
    """See `node.endpoint.facts.Tasks`."""

    engine: LocalEngine

    def find(self, address: str) -> TaskFacts | None:
        """See Tasks."""
        return self.engine.facts_at(address)


@dataclass(frozen=True, slots=True)
class TaskStorage:
    """See `node.endpoint.facts.Storage`."""

    volumes: Volumes

    def use_of(self, task: str) -> StorageUse | None:
        """See Storage."""
        found = self.volumes.use(task)
        return StorageUse(found.utilized_mib, found.reserved_mib) if found is not None else None


@dataclass(frozen=True, slots=True)
class TaskTags:
    """See `node.endpoint.facts.Tags`."""

    store: Store

    def of_task(self, task: str) -> Mapping[str, str]:
        """See Tags."""
        found = self.store.get(Task, task)
        return {tag.key or "": tag.value or "" for tag in found.tags} if found is not None else {}


@dataclass(frozen=True, slots=True)
class RoleSessions:
    """See `node.endpoint.credentials.Sessions`."""

    sessions: Sessions

    def issue(self, role_arn: str, session_name: str, duration_seconds: float) -> SessionCredentials:
        """See Sessions."""
        try:
            return self.sessions.issue(role_arn, session_name, duration_seconds)
        except RoleNotAssumable as error:
            raise CredentialsUnavailable(str(error)) from error


class RoleProtection:
    """ECS's own operations, called as the task's role: see `node.endpoint.protection.Protection`."""

    def __init__(self, control: ControlPlane) -> None:
        self._store = control.store
        self._gate = RequestGate(control.authorizer, control.store, TABLES)
        self._operations = TaskProtection(control.store, time.time)

    async def get(self, task: TaskSpec) -> ProtectionState:
        """See Protection."""
        request = ecs.GetTaskProtectionRequest(cluster=task.cluster, tasks=(task.arn,))
        ctx = self._authorize(task, "GetTaskProtection", request)
        try:
            return _state(await self._operations.get_task_protection(ctx, request))
        except ServiceError as error:
            raise _as_error(error, ctx) from error

    async def update(self, task: TaskSpec, *, is_enabled: bool, expires_in_minutes: int | None) -> ProtectionState:
        """See Protection."""
        request = ecs.UpdateTaskProtectionRequest(
            cluster=task.cluster,
            tasks=(task.arn,),
            protection_enabled=is_enabled,
            expires_in_minutes=expires_in_minutes,
        )
        ctx = self._authorize(task, "UpdateTaskProtection", request)
        try:
            return _state(await self._operations.update_task_protection(ctx, request))
        except ServiceError as error:
            raise _as_error(error, ctx) from error

    def _authorize(self, task: TaskSpec, name: str, request: Shape) -> Context:
        """The role's session as the caller. Raises ProtectionError if its policies don't allow the operation."""
        ctx = _context(self._store, task)
        operation = next(each for each in ecs.OPERATIONS if each.name == name)
        refusal = self._gate.refuse(ctx, "ecs", operation, request)
        if refusal is not None:
            raise ProtectionError(400, "AccessDeniedException", refusal, ctx.request_id)
        return ctx


def _context(store: Store, task: TaskSpec) -> Context:
    role = find_role(store, task.task_role or "")
    name = role.name if role is not None else (task.task_role or "").rpartition("/")[2]
    now = time.time()
    session = Session(kind="role", owner=name, name=task.id, issued_at=now, expires_at=now + LIFETIME_SECONDS)
    text = os.urandom(16).hex()
    return Context(
        account=task.account,
        region=task.region,
        request_id=f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}",
        principal=session_arn(name, task.id, task.account, task.region),
        user_id=f"{role.id}:{task.id}" if role is not None else "",
        source_ip=task.network.address,
        session=session,
    )


def _state(answer: ecs.GetTaskProtectionResponse | ecs.UpdateTaskProtectionResponse) -> ProtectionState:
    for failure in answer.failures or ():
        raise ProtectionRefused(failure.reason or "", failure.detail)
    (shown,) = answer.protected_tasks or ()
    return ProtectionState(shown.expiration_date)


def _as_error(error: ServiceError, ctx: Context) -> ProtectionError:
    return ProtectionError(error.status, error.code, error.message, ctx.request_id)
