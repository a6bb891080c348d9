"""Tags on clusters, task definitions and tasks."""

from __future__ import annotations

import pytest

from fakes.services import Services
from tidegate.api import ecs

pytestmark = pytest.mark.anyio

PREFIX = "arn:aws:ecs:eu-north-1:123456789012:"


async def tag(services: Services, arn: str, **tags: str) -> None:
    given = tuple(ecs.Tag(key=key, value=value) for key, value in tags.items())
    await services.ecs.tag_resource(services.ctx, ecs.TagResourceRequest(resource_arn=arn, tags=given))


async def untag(services: Services, arn: str, *keys: str) -> None:
    await services.ecs.untag_resource(services.ctx, ecs.UntagResourceRequest(resource_arn=arn, tag_keys=keys))


async def tags_of(services: Services, arn: str) -> dict[str | None, str | None]:
    answer = await services.ecs.list_tags_for_resource(services.ctx, ecs.ListTagsForResourceRequest(resource_arn=arn))
    return {each.key: each.value for each in answer.tags or ()}


async def resources(services: Services) -> list[str]:
    """The ARNs of a cluster, a task definition and a task."""
    task = await services.run_one()
    return [PREFIX + "cluster/default", PREFIX + "task-definition/app:1", f"{PREFIX}task/default/{task.id}"]


async def test_tag_and_untag(services: Services) -> None:
    """Tags come, are replaced by key, and go, on each kind of resource."""
    for arn in await resources(services):
        await tag(services, arn, a="1", b="2")
        await tag(services, arn, b="3", c="")
        assert await tags_of(services, arn) == {"a": "1", "b": "3", "c": ""}
        await untag(services, arn, "a", "nothing")
        assert await tags_of(services, arn) == {"b": "3", "c": ""}


async def test_limit(services: Services) -> None:
    """50 tags a resource, counted together."""
    for arn in await resources(services):
        await tag(services, arn, **{f"k{n}": "" for n in range(50)})
        with pytest.raises(ecs.LimitExceededException):
            await tag(services, arn, one_more="")
        await tag(services, arn, k0="changed")


async def test_durable(services: Services) -> None:
    """A tag that can't be written is refused with the reason."""
    arn = (await resources(services))[0]
    services.store.failure = "disk full"
    with pytest.raises(ecs.ServerException, match="disk full"):
        await tag(services, arn, a="1")


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("cluster/nothing", ecs.ClusterNotFoundException),
        ("task-definition/app:9", ecs.ResourceNotFoundException),
        (f"task/default/{'0' * 32}", ecs.ResourceNotFoundException),
        ("service/default/web", ecs.InvalidParameterException),
        ("task-definition/app", ecs.ResourceNotFoundException),
    ],
)
async def test_unknown(services: Services, resource: str, kind: type[Exception]) -> None:
    """Every tag operation refuses an ARN that names nothing that has tags, with an error that its model has."""
    await services.run()
    with pytest.raises(kind):
        await tag(services, PREFIX + resource, a="1")
    with pytest.raises(kind):
        await untag(services, PREFIX + resource, "a")
    with pytest.raises(ecs.InvalidParameterException if kind is ecs.ResourceNotFoundException else kind):
        await tags_of(services, PREFIX + resource)


async def test_not_an_arn(services: Services) -> None:
    """A name alone is not enough."""
    with pytest.raises(ecs.InvalidParameterException, match="Invalid resource ARN: app:1"):
        await tag(services, "app:1", a="1")


async def test_task_under_the_wrong_cluster(services: Services) -> None:
    """A task's ARN names its cluster, and a wrong one names no task."""
    task = await services.run_one()
    with pytest.raises(ecs.ResourceNotFoundException):
        await tag(services, f"{PREFIX}task/other/{task.id}", a="1")


async def test_reserved(services: Services) -> None:
    """The system's tags are neither set nor removed by callers."""
    (task,) = await services.run(enableECSManagedTags=True)
    arn = task.task_arn or ""
    with pytest.raises(ecs.InvalidParameterException):
        await tag(services, arn, **{"aws:ecs:clusterName": "x"})
    with pytest.raises(ecs.InvalidParameterException):
        await untag(services, arn, "aws:ecs:clusterName")
    assert await tags_of(services, arn) == {"aws:ecs:clusterName": "default"}


async def test_published_ports_stay(services: Services) -> None:
    """The tag that published a task's ports says so as long as the task is there."""
    (task,) = await services.run(tags=[{"key": "tidegate:publish", "value": "8080:80"}])
    arn = task.task_arn or ""
    with pytest.raises(ecs.InvalidParameterException, match="works at launch only"):
        await tag(services, arn, **{"tidegate:publish": "81:80"})
    with pytest.raises(ecs.InvalidParameterException, match="works at launch only"):
        await untag(services, arn, "tidegate:publish")
    await tag(services, PREFIX + "task-definition/app:1", **{"tidegate:publish": "81:80"})
