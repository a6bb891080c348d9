"""The rules of security groups."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.security_groups import (
    EVERYTHING,
    HTTP,
    allow_in,
    allow_out,
    create,
    forbid_in,
    forbid_out,
    groups,
    rules,
    stored,
    where,
)
from fakes.services import Services
from tidegate.api import ec2
from tidegate.model.spec import Rule
from tidegate.services.ec2.errors import Ec2Error
from tidegate.services.ec2.security_groups import new_group
from tidegate.store.store import Put

pytestmark = pytest.mark.anyio


async def test_authorize(services: Services) -> None:
    """Rules become what engines are given, and are shown with their ids and descriptions."""
    name = await create(services)
    other = services.default_group.id
    answer = await allow_in(
        services,
        name,
        {**HTTP, "IpRanges": [{"CidrIp": "10.1.2.3/16", "Description": "office"}]},
        {"IpProtocol": "17", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": other}]},
    )
    web = Rule(protocol="tcp", from_port=80, to_port=80, cidr="10.1.0.0/16")
    dns = Rule(protocol="udp", from_port=53, to_port=53, group=other)
    assert stored(services, name).rules.ingress == (web, dns)
    assert answer.return_ is True
    first, second = answer.security_group_rules
    assert first.security_group_rule_id.startswith("sgr-")
    assert (first.cidr_ipv4, first.description, first.is_egress) == ("10.1.0.0/16", "office", False)
    assert second.referenced_group_info == ec2.ReferencedSecurityGroup(group_id=other, user_id="123456789012")
    (group,) = await groups(services, GroupIds=[name])
    shown = {permission.ip_protocol: permission for permission in group.ip_permissions or ()}
    assert shown["tcp"].ip_ranges == (ec2.IpRange(cidr_ip="10.1.0.0/16", description="office"),)
    assert shown["udp"].user_id_group_pairs == (ec2.UserIdGroupPair(group_id=other, user_id="123456789012"),)


async def test_permissions_are_shown_together(services: Services) -> None:
    """Rules of equal protocol and ports are one permission with several peers."""
    name = await create(services)
    await allow_in(services, name, {**HTTP, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "11.0.0.0/8"}]})
    (group,) = await groups(services, GroupIds=[name])
    (permission,) = group.ip_permissions or ()
    assert [each.cidr_ip for each in permission.ip_ranges or ()] == ["10.0.0.0/8", "11.0.0.0/8"]


async def test_egress(services: Services) -> None:
    """What members may reach can be narrowed."""
    name = await create(services)
    await forbid_out(services, name, {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    assert stored(services, name).rules.egress == ()
    await allow_out(services, name, HTTP)
    assert stored(services, name).rules.egress == (Rule(protocol="tcp", from_port=80, to_port=80, cidr="0.0.0.0/0"),)


async def test_old_form(services: Services) -> None:
    """A single rule may be in the request's own members, for ingress; a group may be named."""
    name = await create(services)
    await allow_in(services, None, GroupName="web", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    await allow_in(services, name, SourceSecurityGroupName="default")
    assert stored(services, name).rules.ingress == (
        Rule(protocol="tcp", from_port=22, to_port=22, cidr="10.0.0.0/8"),
        Rule(protocol="-1", group=services.default_group.id),
    )
    await forbid_in(services, name, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    assert len(stored(services, name).rules.ingress) == 1
    with pytest.raises(Ec2Error, match="IpPermissions alone"):
        await allow_out(services, name, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    with pytest.raises(Ec2Error, match="IpPermissions alone"):
        await allow_in(services, name, HTTP, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")


@pytest.mark.parametrize(
    ("permission", "rule"),
    [
        ({"IpProtocol": "icmp"}, Rule(protocol="icmp", from_port=-1, to_port=-1, cidr="0.0.0.0/0")),
        (
            {"IpProtocol": "1", "FromPort": 8, "ToPort": 0},
            Rule(protocol="icmp", from_port=8, to_port=0, cidr="0.0.0.0/0"),
        ),
        ({"IpProtocol": "-1", "FromPort": 80, "ToPort": 80}, EVERYTHING),
        (
            {"IpProtocol": "TCP", "FromPort": 0, "ToPort": 65535},
            Rule(protocol="tcp", from_port=0, to_port=65535, cidr="0.0.0.0/0"),
        ),
    ],
)
async def test_protocols(services: Services, permission: dict[str, Any], rule: Rule) -> None:
    """Protocols by name or number; all of them at once have no ports; ICMP has a type and a code."""
    name = await create(services)
    await allow_in(services, name, {**permission, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    assert stored(services, name).rules.ingress == (rule,)


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({"FromPort": 80, "ToPort": 80}, "MissingParameter"),
        ({**HTTP, "IpProtocol": "gre"}, "InvalidParameterValue"),
        ({**HTTP, "FromPort": 90}, "InvalidParameterValue"),
        ({**HTTP, "ToPort": 65536}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "InvalidParameterValue"),
        ({**HTTP, "IpRanges": [{"CidrIp": "10.0.0.0"}]}, "InvalidParameterValue"),
        ({**HTTP, "IpRanges": [{"CidrIp": "10.0.0.0/33"}]}, "InvalidParameterValue"),
        ({**HTTP, "IpRanges": [{"CidrIp": "10.0.0.0/255.0.0.0"}]}, "InvalidParameterValue"),
        ({**HTTP, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "ä"}]}, "InvalidParameterValue"),
        ({**HTTP, "IpRanges": []}, "MissingParameter"),
        ({**HTTP, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, "UnsupportedOperation"),
        ({**HTTP, "PrefixListIds": [{"PrefixListId": "pl-1"}]}, "UnsupportedOperation"),
        ({**HTTP, "UserIdGroupPairs": [{"GroupId": "sg-00000000"}]}, "InvalidGroup.NotFound"),
        ({**HTTP, "UserIdGroupPairs": [{"GroupName": "nothing"}]}, "InvalidGroup.NotFound"),
        ({**HTTP, "UserIdGroupPairs": [{"GroupName": "default", "UserId": "1"}]}, "UnsupportedOperation"),
        ({**HTTP, "IpRanges": [{"CidrIp": "10.0.0.1/8"}, {"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
    ],
)
async def test_permissions_refused(services: Services, permission: dict[str, Any], code: str) -> None:
    """A permission that is malformed or can't be honoured changes nothing."""
    name = await create(services)
    with pytest.raises(Ec2Error) as caught:
        await allow_in(services, name, permission)
    assert caught.value.code == code
    assert stored(services, name).rules.ingress == ()


async def test_peer_in_another_vpc(services: Services) -> None:
    """A rule refers to groups of its own VPC."""
    stranger = new_group("vpc-other", "x", "x")
    await services.store.commit(Put(stranger))
    name = await create(services)
    with pytest.raises(Ec2Error, match="different networks"):
        await allow_in(services, name, {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": stranger.id}]})


async def test_duplicate(services: Services) -> None:
    """A rule that is there can't be added again; of a request with one such rule nothing is added."""
    name = await create(services)
    await allow_in(services, name, HTTP)
    with pytest.raises(Ec2Error) as caught:
        await allow_in(services, name, {**HTTP, "FromPort": 443, "ToPort": 443}, HTTP)
    assert (caught.value.code, caught.value.message) == (
        "InvalidPermission.Duplicate",
        'the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists',
    )
    assert len(stored(services, name).rules.ingress) == 1
    with pytest.raises(Ec2Error, match=r"peer: 0\.0\.0\.0/0, ALL, ALLOW"):
        await allow_out(services, name, {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})


async def test_rule_limit(services: Services) -> None:
    """60 rules in each direction."""
    name = await create(services)
    await allow_in(services, name, *({**HTTP, "FromPort": port, "ToPort": port} for port in range(1, 61)))
    with pytest.raises(Ec2Error) as caught:
        await allow_in(services, name, HTTP)
    assert caught.value.code in {"InvalidPermission.Duplicate", "RulesPerSecurityGroupLimitExceeded"}
    with pytest.raises(Ec2Error) as caught:
        await allow_in(services, name, {**HTTP, "ToPort": 81})
    assert caught.value.code == "RulesPerSecurityGroupLimitExceeded"


async def test_revoke(services: Services) -> None:
    """Rules go by what they permit or by id; what is not there is an error and nothing goes."""
    name = await create(services)
    tls = {**HTTP, "FromPort": 443, "ToPort": 443}
    added = (await allow_in(services, name, HTTP, tls)).security_group_rules
    with pytest.raises(Ec2Error) as caught:
        await forbid_in(services, name, HTTP, {**HTTP, "ToPort": 99})
    assert (caught.value.code, caught.value.message) == (
        "InvalidPermission.NotFound",
        "The specified rule does not exist in this security group.",
    )
    answer = await forbid_in(services, name, HTTP)
    assert [rule.security_group_rule_id for rule in answer.revoked_security_group_rules] == [
        added[0].security_group_rule_id
    ]
    await forbid_in(services, name, SecurityGroupRuleIds=[added[1].security_group_rule_id])
    assert stored(services, name).rules.ingress == ()
    with pytest.raises(Ec2Error) as caught:
        await forbid_in(services, name, SecurityGroupRuleIds=[added[1].security_group_rule_id])
    assert caught.value.code == "InvalidSecurityGroupRuleId.NotFound"


async def test_rules_that_nobody_could_make_are_not_there(services: Services) -> None:
    """Terraform takes the rule for all of IPv6 away from every new group, and goes on if it is told this."""
    name = await create(services)
    with pytest.raises(Ec2Error) as caught:
        await forbid_out(services, name, {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
    assert caught.value.code == "InvalidPermission.NotFound"


async def test_revoke_by_id_keeps_directions_apart(services: Services) -> None:
    """An egress rule's id names nothing among the ingress rules."""
    name = await create(services)
    (egress,) = await rules(services, **where("group-id", name))
    with pytest.raises(Ec2Error) as caught:
        await forbid_in(services, name, SecurityGroupRuleIds=[egress.security_group_rule_id])
    assert caught.value.code == "InvalidSecurityGroupRuleId.NotFound"
    await forbid_out(services, name, SecurityGroupRuleIds=[egress.security_group_rule_id])
    assert await rules(services, **where("group-id", name)) == ()


async def test_describe_rules(services: Services) -> None:
    """Rules by id, group and tag."""
    name = await create(services)
    tags = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "1"}]}]
    await allow_in(services, name, HTTP, TagSpecifications=tags)
    (found,) = await rules(services, **where("tag:a", "1"))
    assert (found.group_id, found.from_port, found.is_egress) == (name, 80, False)
    assert await rules(services, SecurityGroupRuleIds=[found.security_group_rule_id]) == (found,)
    (everything,) = [rule for rule in await rules(services, **where("group-id", name)) if rule.is_egress]
    assert (everything.ip_protocol, everything.from_port, everything.to_port) == ("-1", -1, -1)
    with pytest.raises(Ec2Error) as caught:
        await rules(services, SecurityGroupRuleIds=["sgr-0"])
    assert (caught.value.code, caught.value.message) == (
        "InvalidSecurityGroupRuleId.NotFound",
        "The security group rule ID 'sgr-0' does not exist",
    )
