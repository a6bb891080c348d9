"""What EC2's operations need; see `services.authorization`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.api import ec2
from tidegate.model.arn import arn
from tidegate.services.authorization import Ask, Conditions, Need, Row, Table
from tidegate.services.ec2.errors import Ec2Error
from tidegate.services.ec2.security_groups import default_vpc, find_group
from tidegate.services.ec2.tags import tags_of


def _arn(ask: Ask, resource: str) -> str:
    return arn("ec2", ask.ctx.region, ask.ctx.account, resource)


def _group(ask: Ask, request: Any) -> Iterable[str]:
    """By its id, or by its name in the default VPC."""
    group = find_group(ask.store, request.group_id, getattr(request, "group_name", None))
    return (_arn(ask, f"security-group/{group.id}"),)


def _group_conditions(ask: Ask, request: Any) -> Conditions:
    group = find_group(ask.store, request.group_id, getattr(request, "group_name", None))
    return {"ec2:Vpc": _arn(ask, f"vpc/{group.vpc}"), "ec2:Region": ask.ctx.region}


def _new_group(ask: Ask, request: ec2.CreateSecurityGroupRequest) -> Iterable[str]:
    vpc = request.vpc_id or default_vpc(ask.store).id
    return (_arn(ask, f"vpc/{vpc}"), _arn(ask, "security-group/*"))


def _tag_needs(operation: str, resource: str) -> Row:
    """The row of an operation that makes things, which takes a permission of its own to tag them."""

    def also(ask: Ask, request: Any) -> Iterable[Need]:
        if request.tag_specifications:
            yield Need("ec2:CreateTags", _arn(ask, f"{resource}/*"), {"ec2:CreateAction": operation})

    if resource == "security-group":
        return Row(_new_group, also=also)
    return Row(_group, _group_conditions, also)


_KINDS = {"vpc": "vpc", "subnet": "subnet", "sg": "security-group", "sgr": "security-group-rule"}
"""Of resources, by how their ids begin."""


def _vpc(ask: Ask, request: ec2.DescribeVpcAttributeRequest) -> Iterable[str]:
    return (_arn(ask, f"vpc/{request.vpc_id}"),)


def _tagged(ask: Ask, request: Any) -> Iterable[str]:
    """Those that a request names by id; one that is none is asked for as whatever it may be."""
    kinds = ((_KINDS.get(each.partition("-")[0], "*"), each) for each in request.resources)
    return tuple(_arn(ask, f"{kind}/{each}") for kind, each in kinds) or ("*",)


def find_tags(ask: Ask, resource: str) -> Mapping[str, str]:
    """Of a resource by its ARN; of none, if it is not there."""
    name = resource.split(":", 5)[5].partition("/")[2]
    try:
        return tags_of(ask.store, name)
    except Ec2Error:
        return {}


_ANYWHERE = Row()
_ON_GROUP = Row(_group, _group_conditions)

TABLE = Table(
    "ec2",
    {
        "DescribeVpcs": _ANYWHERE,
        "DescribeVpcAttribute": Row(_vpc),
        "DescribeRouteTables": _ANYWHERE,
        "DescribeSubnets": _ANYWHERE,
        "DescribeSecurityGroups": _ANYWHERE,
        "DescribeSecurityGroupRules": _ANYWHERE,
        "DescribeNetworkInterfaces": _ANYWHERE,
        "DescribeAvailabilityZones": _ANYWHERE,
        "CreateSecurityGroup": _tag_needs("CreateSecurityGroup", "security-group"),
        "DeleteSecurityGroup": _ON_GROUP,
        "AuthorizeSecurityGroupIngress": _tag_needs("AuthorizeSecurityGroupIngress", "security-group-rule"),
        "AuthorizeSecurityGroupEgress": _tag_needs("AuthorizeSecurityGroupEgress", "security-group-rule"),
        "RevokeSecurityGroupIngress": _ON_GROUP,
        "RevokeSecurityGroupEgress": _ON_GROUP,
        "CreateTags": Row(_tagged),
        "DeleteTags": Row(_tagged),
    },
    find_tags,
    denial="You are not authorized to perform this operation. {}",
)
