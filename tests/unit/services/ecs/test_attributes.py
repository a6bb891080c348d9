"""Attributes, while nothing can carry one; and the agents' endpoint."""

from __future__ import annotations

import pytest

from fakes.identity import task_roles
from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.task import AttributeRecord
from tidegate.services.ecs.service import Ecs
from tidegate.store.store import Put

pytestmark = pytest.mark.anyio

ATTRIBUTE = ecs.Attribute(name="stack", value="prod", target_id="0" * 32)


async def test_put_and_delete_find_no_target(services: Services) -> None:
    """There are no container instances, so no target is found."""
    await services.run()
    with pytest.raises(ecs.TargetNotFoundException, match=ATTRIBUTE.target_id):
        await services.ecs.put_attributes(services.ctx, ecs.PutAttributesRequest(attributes=(ATTRIBUTE,)))
    with pytest.raises(ecs.TargetNotFoundException, match=ATTRIBUTE.target_id):
        await services.ecs.delete_attributes(services.ctx, ecs.DeleteAttributesRequest(attributes=(ATTRIBUTE,)))


async def test_malformed(services: Services) -> None:
    """1 to 10 attributes, each with a name and a target, in a cluster that is there."""
    with pytest.raises(ecs.ClusterNotFoundException):
        await services.ecs.put_attributes(services.ctx, ecs.PutAttributesRequest(attributes=(ATTRIBUTE,)))
    await services.run()
    for attributes in ((), (ATTRIBUTE,) * 11, (ecs.Attribute(name="x"),), (ecs.Attribute(name="", target_id="i"),)):
        with pytest.raises(ecs.InvalidParameterException):
            await services.ecs.put_attributes(services.ctx, ecs.PutAttributesRequest(attributes=attributes))


async def test_list(services: Services) -> None:
    """The attributes of a cluster, by name and value."""
    await services.run()
    listed = ecs.ListAttributesRequest(target_type="container-instance")
    assert await services.ecs.list_attributes(services.ctx, listed) == ecs.ListAttributesResponse(attributes=())
    records = [
        AttributeRecord(cluster=cluster, target="i", name=name, spec=ecs.Attribute(name=name, value="v"))
        for cluster, name in (("default", "a"), ("default", "b"), ("other", "a"))
    ]
    await services.store.commit(*(Put(record) for record in records))
    answer = await services.ecs.list_attributes(services.ctx, listed)
    assert [each.name for each in answer.attributes or ()] == ["a", "b"]
    named = ecs.ListAttributesRequest(target_type="container-instance", attribute_name="b", attribute_value="v")
    answer = await services.ecs.list_attributes(services.ctx, named)
    assert [each.name for each in answer.attributes or ()] == ["b"]
    alone = ecs.ListAttributesRequest(target_type="container-instance", attribute_value="v")
    with pytest.raises(ecs.InvalidParameterException, match="attributeValue requires attributeName"):
        await services.ecs.list_attributes(services.ctx, alone)


async def test_poll_endpoint(services: Services) -> None:
    """The server's own URL if it has one for agents; refused otherwise."""
    request = ecs.DiscoverPollEndpointRequest()
    with pytest.raises(ecs.ClientException, match="container instances are not supported yet"):
        await services.ecs.discover_poll_endpoint(services.ctx, request)
    served = Ecs(
        services.store, services.now, task_roles(services.store, services.now), agent_endpoint="http://127.0.0.1:4566/"
    )
    answer = await served.discover_poll_endpoint(services.ctx, request)
    assert answer.endpoint == answer.telemetry_endpoint == "http://127.0.0.1:4566/"
