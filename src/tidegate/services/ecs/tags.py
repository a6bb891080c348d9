"""TagResource, UntagResource and ListTagsForResource: for clusters, task definitions and tasks."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tidegate.api import ecs
from tidegate.api.shape import Context, ServiceError
from tidegate.model.task import Cluster, Task, TaskDefinition
from tidegate.services.ecs.clusters import get_cluster
from tidegate.services.ecs.names import parse_cluster, parse_task, parse_task_definition
from tidegate.services.ecs.published import PUBLISH_TAG
from tidegate.services.ecs.tag_rules import MAX_TAGS, RESERVED, Tags, check_key, check_tags, merge_tags, too_many
from tidegate.services.ecs.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store

Taggable = Cluster | TaskDefinition | Task


class ResourceTags:
    """The operations on tags."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def tag_resource(self, ctx: Context, request: ecs.TagResourceRequest) -> ecs.TagResourceResponse:
        """Add tags; a key that is there gets the new value."""
        new = check_tags(request.tags)
        if not new:
            raise ecs.InvalidParameterException("Tags can not be empty.")

        def change(resource: Taggable) -> Tags:
            _keep_published(resource, {tag.key or "" for tag in new})
            merged = merge_tags(resource.tags, new)
            if too_many(merged):
                raise ecs.LimitExceededException(f"A resource can have at most {MAX_TAGS} tags.")
            return merged

        await self._change(ctx, request.resource_arn, change)
        return ecs.TagResourceResponse()

    async def untag_resource(self, ctx: Context, request: ecs.UntagResourceRequest) -> ecs.UntagResourceResponse:
        """Remove tags by key; keys that are not there are no error."""
        keys = set(request.tag_keys)
        for key in keys:
            check_key(key)
        if any(key.lower().startswith(RESERVED) for key in keys):
            raise ecs.InvalidParameterException(f"Tags that start with {RESERVED} cannot be removed.")

        def change(resource: Taggable) -> Tags:
            _keep_published(resource, keys)
            return tuple(tag for tag in resource.tags if tag.key not in keys)

        await self._change(ctx, request.resource_arn, change)
        return ecs.UntagResourceResponse()

    async def list_tags_for_resource(
        self, ctx: Context, request: ecs.ListTagsForResourceRequest
    ) -> ecs.ListTagsForResourceResponse:
        """All tags of a resource, the system's too."""
        found = self._find(ctx, request.resource_arn, ecs.InvalidParameterException)
        return ecs.ListTagsForResourceResponse(tags=found.tags)

    async def _change(self, ctx: Context, arn: str, change: Callable[[Taggable], Tags]) -> None:
        async def attempt() -> None:
            resource = self._find(ctx, arn)
            await self._store.commit(Put(msgspec.structs.replace(resource, tags=change(resource))))

        await settle(attempt)

    def _find(self, ctx: Context, arn: str, missing: type[ServiceError] = ecs.ResourceNotFoundException) -> Taggable:
        """The resource that an ARN names; raises `missing`, or what is wrong with the ARN."""
        kind = kind_of(arn)
        found: Taggable | None = None
        if kind == "cluster":
            return get_cluster(self._store, ctx, parse_cluster(arn, ctx))
        if kind == "task":
            cluster, name = parse_task(arn, ctx)
            task = self._store.get(Task, name)
            found = task if task is not None and cluster in (None, task.cluster) else None
        elif kind == "task-definition":
            family, number = parse_task_definition(arn, ctx)
            found = self._store.get(TaskDefinition, f"{family}:{number}")
        else:
            raise ecs.InvalidParameterException(f"cannot tag {arn}: it is no cluster, task or task definition")
        if found is None:
            raise missing(f"The specified resource {arn} was not found.")
        return found


def kind_of(arn: str) -> str:
    """What follows the account in an ARN, up to the slash."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        raise ecs.InvalidParameterException(f"Invalid resource ARN: {arn[:200]}")
    return parts[5].partition("/")[0]


def _keep_published(resource: Taggable, keys: set[str]) -> None:
    """The ports of a task are published at its launch: changing the tag later would change nothing."""
    if isinstance(resource, Task) and PUBLISH_TAG in keys:
        raise ecs.InvalidParameterException(f"cannot change the tag {PUBLISH_TAG} of a task: it works at launch only")
