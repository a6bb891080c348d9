"""VPCs, subnets, zones and interfaces: what EC2 shows of the network that tasks live in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fakes.services import Services
from tidegate.api import ec2
from tidegate.model.status import LastStatus
from tidegate.services.ec2.errors import Ec2Error
from tidegate.services.ec2.zones import zone_id

pytestmark = pytest.mark.anyio


async def vpcs(services: Services, **members: Any) -> tuple[ec2.Vpc, ...]:
    request = msgspec.convert(members, ec2.DescribeVpcsRequest)
    return (await services.ec2.describe_vpcs(services.ctx, request)).vpcs or ()


async def subnets(services: Services, **members: Any) -> tuple[ec2.Subnet, ...]:
    request = msgspec.convert(members, ec2.DescribeSubnetsRequest)
    return (await services.ec2.describe_subnets(services.ctx, request)).subnets or ()


async def interfaces(services: Services, **members: Any) -> tuple[ec2.NetworkInterface, ...]:
    request = msgspec.convert(members, ec2.DescribeNetworkInterfacesRequest)
    return (await services.ec2.describe_network_interfaces(services.ctx, request)).network_interfaces or ()


async def zones(services: Services, **members: Any) -> list[str | None]:
    request = msgspec.convert(members, ec2.DescribeAvailabilityZonesRequest)
    answer = await services.ec2.describe_availability_zones(services.ctx, request)
    return [zone.zone_name for zone in answer.availability_zones or ()]


def where(name: str, *values: str) -> dict[str, Any]:
    return {"Filters": [{"Name": name, "Values": values}]}


async def test_vpc(services: Services) -> None:
    """The default VPC is shown with the range that the server has."""
    (vpc,) = await vpcs(services)
    assert (vpc.vpc_id, vpc.cidr_block, vpc.is_default, vpc.state) == (
        services.vpc.id,
        "10.64.0.0/16",
        True,
        "available",
    )
    assert (vpc.owner_id, vpc.instance_tenancy) == ("123456789012", "default")
    (association,) = vpc.cidr_block_association_set or ()
    assert association.cidr_block == "10.64.0.0/16"


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("is-default", "true", 1),
        ("isDefault", "true", 1),
        ("is-default", "false", 0),
        ("cidr", "10.64.*", 1),
        ("cidr", "10.6?.0.0/16", 1),
        ("cidr", "10.[6]4.0.0/16", 0),
        ("state", "available", 1),
        ("tag:Name", "x", 0),
        ("tag-key", "x", 0),
    ],
)
async def test_vpc_filters(services: Services, name: str, value: str, count: int) -> None:
    """Filters compare as EC2's do: booleans as words, * and ? as wildcards, nothing else special."""
    assert len(await vpcs(services, **where(name, value))) == count


async def test_subnets(services: Services) -> None:
    """A subnet is shown with its zone and its free addresses: all but five, less those that tasks have."""
    found = await subnets(services)
    assert {s.availability_zone for s in found} == {"eu-north-1a", "eu-north-1b", "eu-north-1c"}
    assert {s.available_ip_address_count for s in found} == {4091}
    assert {s.map_public_ip_on_launch for s in found} == {False}
    task = await services.attach(await services.run_one())
    (used,) = await subnets(services, SubnetIds=services.subnets[:1])
    assert used.available_ip_address_count == 4090
    await services.put_status(task, last_status=LastStatus.STOPPED)
    (free,) = await subnets(services, SubnetIds=services.subnets[:1])
    assert free.available_ip_address_count == 4091
    assert free.subnet_arn == f"arn:aws:ec2:eu-north-1:123456789012:subnet/{free.subnet_id}"


async def test_subnet_filters(services: Services) -> None:
    """Several filters must all hold; several values of one are alternatives."""
    (found,) = await subnets(services, **where("availability-zone", "eu-north-1b"))
    assert found.availability_zone_id == "eun1-az2"
    assert len(await subnets(services, **where("availability-zone", "eu-north-1a", "eu-north-1b"))) == 2
    both = [{"Name": "default-for-az", "Values": ["true"]}, {"Name": "cidr-block", "Values": ["10.64.32.0/20"]}]
    assert len(await subnets(services, Filters=both)) == 1
    assert len(await subnets(services, **where("vpc-id", "vpc-0"))) == 0


async def test_zones(services: Services) -> None:
    """Three zones, by name, by id or by filter."""
    everything = ["eu-north-1a", "eu-north-1b", "eu-north-1c"]
    assert await zones(services) == everything
    assert await zones(services, ZoneNames=["eu-north-1b"]) == ["eu-north-1b"]
    assert await zones(services, ZoneIds=["eun1-az3"]) == ["eu-north-1c"]
    assert await zones(services, **where("state", "available")) == everything
    assert await zones(services, **where("zone-id", "eun1-az1")) == ["eu-north-1a"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("us-east-1a", "use1-az1"),
        ("ap-northeast-1c", "apne1-az3"),
        ("us-gov-west-1b", "usgw1-az2"),
        ("eu-central-1a", "euc1-az1"),
    ],
)
def test_zone_ids(zone: str, expected: str) -> None:
    """A zone's id is formed as AWS forms it."""
    assert zone_id(zone) == expected


async def test_interface(services: Services) -> None:
    """A task's interface is shown consistently with the task, from its address to its end."""
    task = await services.run_one(enableECSManagedTags=True)
    assert await interfaces(services) == ()
    task = await services.attach(task)
    (eni,) = await interfaces(services)
    expected = task.status.interface
    assert expected is not None
    assert (eni.network_interface_id, eni.private_ip_address, eni.mac_address) == (
        expected.id,
        expected.address,
        expected.mac,
    )
    assert eni.description == f"arn:aws:ecs:eu-north-1:123456789012:attachment/{task.attachment}"
    assert (eni.subnet_id, eni.vpc_id, eni.availability_zone) == (expected.subnet, services.vpc.id, "eu-north-1a")
    assert (eni.requester_managed, eni.interface_type) == (True, "interface")
    assert eni.groups == (ec2.GroupIdentifier(group_id=services.default_group.id, group_name="default"),)
    assert eni.private_dns_name == "ip-10-64-0-4.eu-north-1.compute.internal"
    assert eni.tag_set == (ec2.Tag(key="aws:ecs:clusterName", value="default"),)
    await services.put_status(task, last_status=LastStatus.STOPPED)
    assert await interfaces(services) == ()


@pytest.mark.parametrize(
    ("task", "status", "attachment"),
    [
        (LastStatus.PENDING, "attaching", "attaching"),
        (LastStatus.ACTIVATING, "in-use", "attached"),
        (LastStatus.RUNNING, "in-use", "attached"),
        (LastStatus.STOPPING, "in-use", "attached"),
        (LastStatus.DEPROVISIONING, "detaching", "detaching"),
    ],
)
async def test_interface_status(services: Services, task: LastStatus, status: str, attachment: str) -> None:
    """An interface is in use while the task's containers are, or may be."""
    record = await services.attach(await services.run_one())
    await services.put_status(record, last_status=task)
    (eni,) = await interfaces(services)
    assert eni.attachment is not None
    assert (eni.status, eni.attachment.status) == (status, attachment)


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("private-ip-address", "10.64.0.4", 1),
        ("addresses.private-ip-address", "10.64.0.5", 0),
        ("description", "*attachment/*", 1),
        ("attachment.instance-id", "i-1", 0),
        ("requester-managed", "true", 1),
        ("group-name", "default", 1),
        ("tag:aws:ecs:clusterName", "default", 1),
        ("tag-key", "aws:ecs:clusterName", 1),
    ],
)
async def test_interface_filters(services: Services, name: str, value: str, count: int) -> None:
    """Interfaces by what is known of them."""
    await services.attach(await services.run_one(enableECSManagedTags=True))
    assert len(await interfaces(services, **where(name, value))) == count


async def test_interface_by_id(services: Services) -> None:
    """The id in the task's attachment finds the interface."""
    task = await services.attach(await services.run_one())
    assert task.status.interface is not None
    (eni,) = await interfaces(services, NetworkInterfaceIds=[task.status.interface.id])
    assert eni.network_interface_id == task.status.interface.id


@pytest.mark.parametrize(
    ("call", "members", "code", "message"),
    [
        (vpcs, {"VpcIds": ["vpc-0"]}, "InvalidVpcID.NotFound", "The vpc ID 'vpc-0' does not exist"),
        (subnets, {"SubnetIds": ["subnet-0"]}, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-0' does not exist"),
        (
            interfaces,
            {"NetworkInterfaceIds": ["eni-0"]},
            "InvalidNetworkInterfaceID.NotFound",
            "The networkInterface ID 'eni-0' does not exist",
        ),
        (zones, {"ZoneNames": ["x"]}, "InvalidParameterValue", "Invalid availability zone: [x]"),
        (zones, {"ZoneIds": ["x"]}, "InvalidParameterValue", "Invalid availability zone: [x]"),
        (subnets, where("colour", "red"), "InvalidParameterValue", "The filter 'colour' is invalid"),
        (
            subnets,
            {"NextToken": "nonsense"},
            "InvalidParameterValue",
            "Invalid value for parameter nextToken: the token is invalid",
        ),
        (
            vpcs,
            {"VpcIds": ["vpc-0"], "MaxResults": 5},
            "InvalidParameterCombination",
            "The parameter MaxResults cannot be used with the list of IDs in the request",
        ),
        (vpcs, where("state", *["x"] * 201), "FilterLimitExceeded", "A filter can have at most 200 values"),
        (
            vpcs,
            {"Filters": [{"Name": "state", "Values": ["x"]}] * 51},
            "FilterLimitExceeded",
            "A request can have at most 50 filters",
        ),
        *(
            (call, {"DryRun": True}, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
            for call in (vpcs, subnets, interfaces, zones)
        ),
    ],
)
async def test_refused(services: Services, call: Any, members: dict[str, Any], code: str, message: str) -> None:
    """What names nothing, or is no valid question, is refused with EC2's error."""
    with pytest.raises(Ec2Error) as caught:
        await call(services, **members)
    assert (caught.value.code, caught.value.message) == (code, message)
