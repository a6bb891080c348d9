"""CreateTags and DeleteTags, and what of a VPC is told beside its range."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.security_groups import HTTP, allow_in, call, create, groups
from fakes.services import Services
from tidegate.api import ec2
from tidegate.model.account import SecurityGroup, Subnet, Vpc
from tidegate.services.ec2.errors import Ec2Error

pytestmark = pytest.mark.anyio


async def tag(services: Services, *resources: str, **tags: str) -> None:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    await call(services, "create_tags", ec2.CreateTagsRequest, Resources=list(resources), Tags=pairs)


async def untag(services: Services, *resources: str, **members: Any) -> None:
    await call(services, "delete_tags", ec2.DeleteTagsRequest, Resources=list(resources), **members)


async def test_tags_of_everything_that_has_some(services: Services) -> None:
    """Added to those that are there; shown, and found by filters."""
    group = await create(services)
    rule = (await allow_in(services, group, HTTP)).security_group_rules[0].security_group_rule_id
    vpc, subnet = next(iter(services.store.select(Vpc))).id, next(iter(services.store.select(Subnet))).id
    await tag(services, group, rule, vpc, subnet, a="1", b="2")
    await tag(services, group, b="3")
    found = services.store.get(SecurityGroup, group)
    assert found is not None
    assert found.tags == {"a": "1", "b": "3"}
    assert [detail.tags for detail in found.rule_details.values() if detail.id == rule] == [{"a": "1", "b": "2"}]
    filters = [{"Name": "tag:a", "Values": ["1"]}]
    assert [each.group_id for each in await groups(services, Filters=filters)] == [group]
    vpcs = await call(services, "describe_vpcs", ec2.DescribeVpcsRequest, Filters=filters)
    assert [(each.vpc_id, each.tags[0].key) for each in vpcs.vpcs] == [(vpc, "a")]
    subnets = await call(services, "describe_subnets", ec2.DescribeSubnetsRequest, Filters=filters)
    assert [each.subnet_id for each in subnets.subnets] == [subnet]


async def test_tags_go_by_key_or_by_key_and_value(services: Services) -> None:
    """Or all at once."""
    group = await create(services)
    await tag(services, group, a="1", b="2", c="3")
    await untag(services, group, Tags=[{"Key": "a"}, {"Key": "b", "Value": "other"}, {"Key": "none"}])
    assert services.store.get(SecurityGroup, group).tags == {"b": "2", "c": "3"}  # type: ignore[union-attr]
    await untag(services, group)
    assert services.store.get(SecurityGroup, group).tags == {}  # type: ignore[union-attr]


async def test_all_of_the_resources_or_none(services: Services) -> None:
    """One that is not there changes none of the others; a resource has at most 50 tags."""
    group = await create(services)
    with pytest.raises(Ec2Error) as caught:
        await tag(services, group, "sg-0123456789abcdef0", a="1")
    assert caught.value.code == "InvalidGroup.NotFound"
    await tag(services, group, **{f"k{i}": "" for i in range(50)})
    with pytest.raises(Ec2Error) as caught:
        await tag(services, group, a="1")
    assert caught.value.code == "TagLimitExceeded"
    assert "a" not in services.store.get(SecurityGroup, group).tags  # type: ignore[union-attr]


async def test_attributes_and_the_main_route_table_of_a_vpc(services: Services) -> None:
    """As readers of a default VPC ask for them: one attribute a call, and the table by its association."""
    vpc = next(iter(services.store.select(Vpc)))
    answer = await call(
        services,
        "describe_vpc_attribute",
        ec2.DescribeVpcAttributeRequest,
        VpcId=vpc.id,
        Attribute="enableDnsHostnames",
    )
    assert answer == ec2.DescribeVpcAttributeResult(
        vpc_id=vpc.id, enable_dns_hostnames=ec2.AttributeBooleanValue(value=True)
    )
    filters = [{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [vpc.id]}]
    tables = await call(services, "describe_route_tables", ec2.DescribeRouteTablesRequest, Filters=filters)
    (table,) = tables.route_tables
    assert [each.destination_cidr_block for each in table.routes] == [vpc.cidr, "0.0.0.0/0"]
    none = await call(
        services,
        "describe_route_tables",
        ec2.DescribeRouteTablesRequest,
        Filters=[{"Name": "association.subnet-id", "Values": ["*"]}],
    )
    assert none.route_tables == ()
