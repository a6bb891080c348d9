"""What EC2's operations need; see `services.authorization`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.api import ec2
from tidegate.model.account import SecurityGroup
from tidegate.model.arn import arn
from tidegate.services.authorization import Ask, Conditions, Need, Row, Table
from tidegate.services.ec2.security_groups import default_vpc, find_group


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


def find_tags(ask: Ask, resource: str) -> Mapping[str, str]:
    """Of a security group, by its ARN."""
    kind, _, name = resource.split(":", 5)[5].partition("/")
    found = ask.store.get(SecurityGroup, name) if kind == "security-group" else None
    return found.tags if found is not None else {}


_ANYWHERE = Row()
_ON_GROUP = Row(_group, _group_conditions)

TABLE = Table(
    "ec2",
    {
        "DescribeVpcs": _ANYWHERE,
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
    },
    find_tags,
    denial="You are not authorized to perform this operation. {}",
)
