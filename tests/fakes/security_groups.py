"""Short ways to ask EC2 about security groups; members are those on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from fakes.services import Services
from tidegate.api import ec2
from tidegate.model.account import SecurityGroup
from tidegate.model.spec import Rule

EVERYTHING = Rule(protocol="-1", cidr="0.0.0.0/0")
HTTP = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


async def call(services: Services, name: str, request: Any, **members: Any) -> Any:
    return await getattr(services.ec2, name)(services.ctx, msgspec.convert(members, request))


async def create(services: Services, name: str = "web", **members: Any) -> str:
    given = {"GroupName": name, "Description": "d", **members}
    answer = await call(services, "create_security_group", ec2.CreateSecurityGroupRequest, **given)
    return str(answer.group_id)


async def delete(services: Services, **members: Any) -> Any:
    return await call(services, "delete_security_group", ec2.DeleteSecurityGroupRequest, **members)


async def allow_in(services: Services, group: str | None, *permissions: dict[str, Any], **members: Any) -> Any:
    given = {"GroupId": group, "IpPermissions": permissions or None, **members}
    return await call(
        services, "authorize_security_group_ingress", ec2.AuthorizeSecurityGroupIngressRequest, **_present(given)
    )


async def allow_out(services: Services, group: str, *permissions: dict[str, Any], **members: Any) -> Any:
    given = {"GroupId": group, "IpPermissions": permissions or None, **members}
    return await call(
        services, "authorize_security_group_egress", ec2.AuthorizeSecurityGroupEgressRequest, **_present(given)
    )


async def forbid_in(services: Services, group: str | None, *permissions: dict[str, Any], **members: Any) -> Any:
    given = {"GroupId": group, "IpPermissions": permissions or None, **members}
    return await call(
        services, "revoke_security_group_ingress", ec2.RevokeSecurityGroupIngressRequest, **_present(given)
    )


async def forbid_out(services: Services, group: str, *permissions: dict[str, Any], **members: Any) -> Any:
    given = {"GroupId": group, "IpPermissions": permissions or None, **members}
    return await call(services, "revoke_security_group_egress", ec2.RevokeSecurityGroupEgressRequest, **_present(given))


async def groups(services: Services, **members: Any) -> tuple[ec2.SecurityGroup, ...]:
    answer = await call(services, "describe_security_groups", ec2.DescribeSecurityGroupsRequest, **members)
    return tuple(answer.security_groups)


async def rules(services: Services, **members: Any) -> tuple[ec2.SecurityGroupRule, ...]:
    answer = await call(services, "describe_security_group_rules", ec2.DescribeSecurityGroupRulesRequest, **members)
    return tuple(answer.security_group_rules)


def stored(services: Services, group: str) -> SecurityGroup:
    found = services.store.get(SecurityGroup, group)
    assert found is not None
    return found


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def where(name: str, *values: str) -> dict[str, Any]:
    return {"Filters": [{"Name": name, "Values": values}]}
