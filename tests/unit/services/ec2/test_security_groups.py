"""Security groups: made, found, removed."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.security_groups import (
    EVERYTHING,
    HTTP,
    allow_in,
    create,
    delete,
    forbid_in,
    forbid_out,
    groups,
    stored,
    where,
)
from fakes.services import Services
from tidegate.api import ec2
from tidegate.model.account import SecurityGroup, Vpc
from tidegate.model.status import LastStatus
from tidegate.services.ec2.errors import Ec2Error
from tidegate.store.store import Put

pytestmark = pytest.mark.anyio


async def test_default_group(services: Services) -> None:
    """The default group lets its members reach each other and everything else."""
    (group,) = await groups(services)
    assert (group.group_name, group.vpc_id, group.owner_id) == ("default", services.vpc.id, "123456789012")
    (inward,) = group.ip_permissions or ()
    assert inward.ip_protocol == "-1"
    assert inward.user_id_group_pairs == (ec2.UserIdGroupPair(group_id=group.group_id, user_id="123456789012"),)
    (outward,) = group.ip_permissions_egress or ()
    assert outward.ip_ranges == (ec2.IpRange(cidr_ip="0.0.0.0/0"),)
    assert (outward.from_port, outward.to_port) == (None, None)


async def test_create(services: Services) -> None:
    """A new group lets nobody in and everybody out, and carries its tags."""
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "a", "Value": "1"}]}]
    name = await create(services, TagSpecifications=tags)
    assert stored(services, name).rules.ingress == ()
    assert stored(services, name).rules.egress == (EVERYTHING,)
    (group,) = await groups(services, **where("tag:a", "1"))
    assert (group.group_id, group.group_name, group.description) == (name, "web", "d")
    assert group.security_group_arn == f"arn:aws:ec2:eu-north-1:123456789012:security-group/{name}"


async def test_names_belong_to_a_vpc(services: Services) -> None:
    """A name is taken in its VPC only."""
    await services.store.commit(Put(Vpc(id="vpc-2", cidr="10.99.0.0/16")))
    await create(services)
    with pytest.raises(Ec2Error) as caught:
        await create(services)
    assert (caught.value.code, caught.value.message) == (
        "InvalidGroup.Duplicate",
        f"The security group 'web' already exists for VPC '{services.vpc.id}'",
    )
    await create(services, VpcId="vpc-2")


async def test_find_groups(services: Services) -> None:
    """Groups by id, name and what their rules say."""
    name = await create(services)
    await allow_in(services, name, HTTP)
    for members in (
        {"GroupIds": [name]},
        {"GroupNames": ["web"]},
        where("group-name", "w*"),
        where("ip-permission.from-port", "80"),
        where("ip-permission.protocol", "tcp"),
        where("ip-permission.cidr", "0.0.0.0/0"),
    ):
        assert [group.group_id for group in await groups(services, **members)] == [name]
    assert len(await groups(services, **where("egress.ip-permission.cidr", "0.0.0.0/0"))) == 2
    assert len(await groups(services, **where("ip-permission.group-id", services.default_group.id))) == 1


async def test_delete(services: Services) -> None:
    """A group that nothing refers to goes, by id or by name."""
    name = await create(services)
    answer = await delete(services, GroupId=name)
    assert (answer.return_, answer.group_id) == (True, name)
    await create(services)
    await delete(services, GroupName="web")
    assert [group.group_name for group in await groups(services)] == ["default"]


async def test_delete_default(services: Services) -> None:
    """The default group stays."""
    group = services.default_group.id
    with pytest.raises(Ec2Error) as caught:
        await delete(services, GroupId=group)
    assert (caught.value.code, caught.value.message) == (
        "CannotDelete",
        f'the specified group: "{group}" name: "default" cannot be deleted by a user',
    )


async def test_delete_group_of_a_task(services: Services) -> None:
    """A group stays as long as a task that names it has not stopped, even before the task has its interface."""
    name = await create(services)
    task = await services.run_one(networkConfiguration=services.network(securityGroups=[name]))
    with pytest.raises(Ec2Error) as caught:
        await delete(services, GroupId=name)
    assert (caught.value.code, caught.value.message) == (
        "DependencyViolation",
        f"resource {name} has a dependent object",
    )
    await services.put_status(task, last_status=LastStatus.STOPPED)
    await delete(services, GroupId=name)


async def test_delete_group_that_a_rule_names(services: Services) -> None:
    """A group stays as long as another group's rule names it; its own rules don't hold it."""
    name, other = await create(services), await create(services, "other")
    peer = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": name}]}
    await allow_in(services, name, peer)
    await allow_in(services, other, peer)
    with pytest.raises(Ec2Error, match="has a dependent object"):
        await delete(services, GroupId=name)
    await forbid_in(services, other, peer)
    await delete(services, GroupId=name)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"GroupName": "default"}, "InvalidParameterValue"),
        ({"GroupName": "sg-mine"}, "InvalidParameterValue"),
        ({"GroupName": "ä"}, "InvalidParameterValue"),
        ({"GroupName": ""}, "InvalidParameterValue"),
        ({"Description": "ä"}, "InvalidParameterValue"),
        ({"VpcId": "vpc-0"}, "InvalidVpcID.NotFound"),
        ({"TagSpecifications": [{"ResourceType": "vpc"}]}, "InvalidParameterValue"),
        (
            {"TagSpecifications": [{"ResourceType": "security-group", "Tags": [{"Key": "aws:a"}]}]},
            "InvalidParameterValue",
        ),
        (
            {"TagSpecifications": [{"ResourceType": "security-group", "Tags": [{"Key": str(n)} for n in range(51)]}]},
            "TagLimitExceeded",
        ),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
async def test_create_refused(services: Services, members: dict[str, Any], code: str) -> None:
    """What makes no valid group is refused, and so is a rehearsal once it has succeeded."""
    with pytest.raises(Ec2Error) as caught:
        await create(services, **members)
    assert caught.value.code == code
    assert len(list(services.store.select(SecurityGroup))) == 1


async def test_unknown_groups(services: Services) -> None:
    """A group that is not there is refused wherever it is named."""
    for group, code in (("sg-00000000", "InvalidGroup.NotFound"), ("web", "InvalidGroupId.Malformed")):
        for attempt in (
            groups(services, GroupIds=[group]),
            delete(services, GroupId=group),
            allow_in(services, group, HTTP),
            forbid_out(services, group, HTTP),
        ):
            with pytest.raises(Ec2Error) as caught:
                await attempt
            assert caught.value.code == code
    with pytest.raises(Ec2Error, match="does not exist in default VPC"):
        await groups(services, GroupNames=["nothing"])
    with pytest.raises(Ec2Error, match="groupName or groupId"):
        await delete(services)
    with pytest.raises(Ec2Error, match="ipPermissions"):
        await allow_in(services, services.default_group.id)


async def test_dry_run_changes_nothing(services: Services) -> None:
    """A rehearsal answers as EC2 does and leaves all as it was."""
    name = await create(services)
    before = stored(services, name)
    egress = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    for attempt in (
        allow_in(services, name, HTTP, DryRun=True),
        forbid_out(services, name, egress, DryRun=True),
        delete(services, GroupId=name, DryRun=True),
    ):
        with pytest.raises(Ec2Error) as caught:
            await attempt
        assert (caught.value.code, caught.value.status) == ("DryRunOperation", 412)
    assert stored(services, name) == before


async def test_not_durable(services: Services) -> None:
    """What can't be written is refused with the reason, as a fault of the service."""
    services.store.failure = "disk full"
    with pytest.raises(Ec2Error, match="disk full") as caught:
        await create(services)
    assert (caught.value.code, caught.value.status) == ("InternalError", 500)


async def test_no_default_vpc() -> None:
    """Without a default VPC a group must say which one it is for."""
    with pytest.raises(Ec2Error) as caught:
        await create(Services())
    assert (caught.value.code, caught.value.message) == ("VPCIdNotSpecified", "No default VPC for this user")
