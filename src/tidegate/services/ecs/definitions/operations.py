"""
ECS's operations on task definitions.

A revision never changes but for its status: ACTIVE -> INACTIVE (deregistered) -> DELETE_IN_PROGRESS -> gone, once no
task refers to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.task import Family, TaskDefinition
from tidegate.services.ecs import names
from tidegate.services.ecs.definitions import listing, lookup
from tidegate.services.ecs.definitions.acceptance import accept
from tidegate.services.ecs.writes import settle
from tidegate.store.store import Conflict, Delete, Put, Store

ATTEMPTS = 10
"""At a registration while others register revisions of the same family."""
MAX_DELETIONS = 10
DELETION_GRACE_SECONDS = 60
"""How long a definition outlives its deletion at least: a RunTask that had just found it may still be under way."""

_INVALID = "The specified task definition identifier is invalid. Specify a valid name or ARN and try again."
_UNKNOWN = "The specified task definition does not exist. Specify a valid account, family, revision and try again."
_ACTIVE = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."


class TaskDefinitions:
    """The operations; `now` gives seconds since the epoch."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def register_task_definition(
        self, ctx: Context, request: ecs.RegisterTaskDefinitionRequest
    ) -> ecs.RegisterTaskDefinitionResponse:
        """A new revision of the family, numbered one above all there ever were. Raises ClientException."""
        spec = accept(request)
        return await settle(partial(self._register, ctx, spec, request.tags or ()))

    async def describe_task_definition(
        self, ctx: Context, request: ecs.DescribeTaskDefinitionRequest
    ) -> ecs.DescribeTaskDefinitionResponse:
        """A revision, in whatever state; of a family, its latest ACTIVE one. Raises ClientException."""
        definition = self._find(ctx, request.task_definition)
        tags = definition.tags if "TAGS" in (request.include or ()) else None
        return ecs.DescribeTaskDefinitionResponse(task_definition=definition.spec, tags=tags)

    async def deregister_task_definition(
        self, ctx: Context, request: ecs.DeregisterTaskDefinitionRequest
    ) -> ecs.DeregisterTaskDefinitionResponse:
        """Make a revision INACTIVE; one that is not ACTIVE stays as it is. Raises ClientException."""
        if names.parse_task_definition(request.task_definition, ctx)[1] is None:
            raise ecs.ClientException("Revision is missing.")
        return await settle(partial(self._deregister, ctx, request.task_definition))

    async def delete_task_definitions(
        self, ctx: Context, request: ecs.DeleteTaskDefinitionsRequest
    ) -> ecs.DeleteTaskDefinitionsResponse:
        """Mark INACTIVE revisions for deletion; what can't be is a failure of its own. At most 10."""
        if not request.task_definitions:
            raise ecs.InvalidParameterException("size of TaskDefinition references list must be greater than 0")
        if len(request.task_definitions) > MAX_DELETIONS:
            raise ecs.InvalidParameterException(f"Size of TaskDefinition references list cannot exceed {MAX_DELETIONS}")
        deleted: list[ecs.TaskDefinition] = []
        failures: list[ecs.Failure] = []
        for identifier in dict.fromkeys(request.task_definitions):
            result = await settle(partial(self._delete, ctx, identifier))
            if isinstance(result, ecs.Failure):
                failures.append(result)
            else:
                deleted.append(result)
        return ecs.DeleteTaskDefinitionsResponse(task_definitions=tuple(deleted), failures=tuple(failures))

    async def list_task_definitions(
        self, ctx: Context, request: ecs.ListTaskDefinitionsRequest
    ) -> ecs.ListTaskDefinitionsResponse:
        """ARNs by family and revision. Raises InvalidParameterException."""
        family = request.family_prefix or None
        records = self._store.select(TaskDefinition, *(("family", family) if family else ()))
        page = listing.take_page(
            listing.select_definitions(records, family=family, status=request.status),
            token=request.next_token,
            max_results=request.max_results,
            descending=request.sort == "DESC",
        )
        arns = tuple(names.task_definition_arn(ctx, *position) for position in page.positions)
        return ecs.ListTaskDefinitionsResponse(task_definition_arns=arns, next_token=page.next_token)

    async def list_task_definition_families(
        self, ctx: Context, request: ecs.ListTaskDefinitionFamiliesRequest
    ) -> ecs.ListTaskDefinitionFamiliesResponse:
        """Names of families that have revisions. Raises InvalidParameterException."""
        records = self._store.select(TaskDefinition)
        page = listing.take_page(
            listing.select_families(records, prefix=request.family_prefix, status=request.status),
            token=request.next_token,
            max_results=request.max_results,
        )
        families = tuple(family for family, _ in page.positions)
        return ecs.ListTaskDefinitionFamiliesResponse(families=families, next_token=page.next_token)

    async def collect_deleted(self) -> int:
        """
        Remove the revisions that are DELETE_IN_PROGRESS and that no task refers to; returns how many.

        Idempotent; whoever runs the server calls it from time to time.
        """
        before = self._now() - DELETION_GRACE_SECONDS
        used = lookup.find_used(self._store)
        removed = 0
        for definition in self._store.select(TaskDefinition):
            asked_at = definition.spec.delete_requested_at
            if asked_at is None or asked_at > before or definition.key in used:
                continue
            try:
                await self._store.commit(Delete(definition))
            except Conflict:
                continue
            removed += 1
        return removed

    async def _register(
        self, ctx: Context, spec: ecs.TaskDefinition, tags: tuple[ecs.Tag, ...]
    ) -> ecs.RegisterTaskDefinitionResponse:
        name = spec.family or ""
        for _ in range(ATTEMPTS):
            family = self._store.get(Family, name) or Family(name=name, latest=0)
            definition = self._revision(ctx, spec, family.latest + 1, tags)
            try:
                await self._store.commit(Put(replace(family, latest=definition.number)), Put(definition))
            except Conflict:
                continue
            return ecs.RegisterTaskDefinitionResponse(task_definition=definition.spec, tags=definition.tags)
        raise ecs.ClientException("Too many concurrent attempts to create a new revision of the specified family.")

    async def _deregister(self, ctx: Context, identifier: str) -> ecs.DeregisterTaskDefinitionResponse:
        definition = self._find(ctx, identifier)
        if definition.spec.status == "ACTIVE":
            spec = replace(definition.spec, status="INACTIVE", deregistered_at=self._now())
            definition = replace(definition, spec=spec)
            await self._store.commit(Put(definition))
        else:
            await self._store.commit()  # whoever changed it may still wait for the disk
        return ecs.DeregisterTaskDefinitionResponse(task_definition=definition.spec)

    async def _delete(self, ctx: Context, identifier: str) -> ecs.TaskDefinition | ecs.Failure:
        try:
            family, number = names.parse_task_definition(identifier, ctx)
        except ecs.InvalidParameterException:
            return ecs.Failure(arn=identifier, reason=_INVALID)
        if number is None:
            return ecs.Failure(arn=identifier, reason=_INVALID)
        definition = self._store.get(TaskDefinition, f"{family}:{number}")
        if definition is None or definition.spec.status == "ACTIVE":
            reason = _UNKNOWN if definition is None else _ACTIVE
            return ecs.Failure(arn=names.task_definition_arn(ctx, family, number), reason=reason)
        spec = definition.spec
        if spec.status == "INACTIVE":
            spec = replace(spec, status="DELETE_IN_PROGRESS", delete_requested_at=self._now())
            await self._store.commit(Put(replace(definition, spec=spec)))
        else:
            await self._store.commit()  # whoever changed it may still wait for the disk
        return spec

    def _find(self, ctx: Context, identifier: str) -> TaskDefinition:
        definition = lookup.find(self._store, identifier, ctx)
        if definition is None:
            raise ecs.ClientException("Unable to describe task definition.")
        return definition

    def _revision(
        self, ctx: Context, spec: ecs.TaskDefinition, number: int, tags: tuple[ecs.Tag, ...]
    ) -> TaskDefinition:
        family = spec.family or ""
        spec = replace(
            spec,
            task_definition_arn=names.task_definition_arn(ctx, family, number),
            revision=number,
            status="ACTIVE",
            registered_at=self._now(),
            registered_by=ctx.principal,
        )
        return TaskDefinition(family=family, number=number, spec=spec, tags=tags)
