"""The rules of security groups: authorized, revoked and shown. A change binds as soon as it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from tidegate.api import ec2
from tidegate.api.shape import Context
from tidegate.model.account import RuleDetail, SecurityGroup
from tidegate.model.arn import partition
from tidegate.model.spec import Rule, SecurityGroupSpec
from tidegate.services import writes
from tidegate.services.ec2.errors import Ec2Error, check_dry_run, internal_error, unsupported
from tidegate.services.ec2.listing import Kind, describe
from tidegate.services.ec2.rules import canonical, duplicate, read_permission
from tidegate.services.ec2.security_groups import find_group, new_id
from tidegate.services.ec2.tag_rules import read_tags, to_shapes
from tidegate.store.store import Put, Store

MAX_RULES = 60
"""In each direction. Source: Amazon VPC quotas."""

Authorize = ec2.AuthorizeSecurityGroupIngressRequest | ec2.AuthorizeSecurityGroupEgressRequest
Revoke = ec2.RevokeSecurityGroupIngressRequest | ec2.RevokeSecurityGroupEgressRequest
Permissions = list[tuple[Rule, str]]
"""Rules with their descriptions."""


class GroupRules:
    """The operations on rules."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe_security_group_rules(
        self, ctx: Context, request: ec2.DescribeSecurityGroupRulesRequest
    ) -> ec2.DescribeSecurityGroupRulesResult:
        """Rules by id, or by filter: group-id, security-group-rule-id, tags."""
        check_dry_run(request.dry_run)
        found, token = describe(
            _KIND,
            [rule for group in self._store.select(SecurityGroup) for rule in _all_rules(ctx, group)],
            ids=request.security_group_rule_ids,
            filters=request.filters,
            max_results=request.max_results,
            token=request.next_token,
        )
        return ec2.DescribeSecurityGroupRulesResult(security_group_rules=tuple(found), next_token=token)

    async def authorize_security_group_ingress(
        self, ctx: Context, request: ec2.AuthorizeSecurityGroupIngressRequest
    ) -> ec2.AuthorizeSecurityGroupIngressResult:
        """Add rules for what reaches the group's members."""
        added = await self._authorize(ctx, request, request.group_name, is_egress=False)
        return ec2.AuthorizeSecurityGroupIngressResult(return_=True, security_group_rules=added)

    async def authorize_security_group_egress(
        self, ctx: Context, request: ec2.AuthorizeSecurityGroupEgressRequest
    ) -> ec2.AuthorizeSecurityGroupEgressResult:
        """Add rules for what the group's members reach."""
        added = await self._authorize(ctx, request, None, is_egress=True)
        return ec2.AuthorizeSecurityGroupEgressResult(return_=True, security_group_rules=added)

    async def revoke_security_group_ingress(
        self, ctx: Context, request: ec2.RevokeSecurityGroupIngressRequest
    ) -> ec2.RevokeSecurityGroupIngressResult:
        """Remove rules by what they permit or by id."""
        removed = await self._revoke(ctx, request, request.group_name, is_egress=False)
        return ec2.RevokeSecurityGroupIngressResult(return_=True, revoked_security_group_rules=removed)

    async def revoke_security_group_egress(
        self, ctx: Context, request: ec2.RevokeSecurityGroupEgressRequest
    ) -> ec2.RevokeSecurityGroupEgressResult:
        """Remove rules by what they permit or by id."""
        removed = await self._revoke(ctx, request, None, is_egress=True)
        return ec2.RevokeSecurityGroupEgressResult(return_=True, revoked_security_group_rules=removed)

    async def _authorize(
        self, ctx: Context, request: Authorize, name: str | None, *, is_egress: bool
    ) -> tuple[ec2.SecurityGroupRule, ...]:
        """All of the request's rules or none."""
        tags = read_tags(request.tag_specifications, "security-group-rule")

        async def attempt() -> tuple[ec2.SecurityGroupRule, ...]:
            group = find_group(self._store, request.group_id, name)
            permissions = self._permissions(ctx, group, request, is_egress=is_egress)
            _check_new(group, [rule for rule, _ in permissions], is_egress=is_egress)
            check_dry_run(request.dry_run)
            details = {
                canonical(rule, is_egress=is_egress): RuleDetail(id=new_id("sgr"), description=text, tags=tags)
                for rule, text in permissions
            }
            rules = _rules(group, is_egress) + tuple(rule for rule, _ in permissions)
            changed = _with_rules(group, rules, group.rule_details | details, is_egress=is_egress)
            await self._store.commit(Put(changed))
            return tuple(_shape(ctx, changed, rule, is_egress=is_egress) for rule, _ in permissions)

        return await writes.settle(attempt, internal_error)

    async def _revoke(
        self, ctx: Context, request: Revoke, name: str | None, *, is_egress: bool
    ) -> tuple[ec2.RevokedSecurityGroupRule, ...]:
        """All of the request's rules or none: one that is not there is an error."""

        async def attempt() -> tuple[ec2.RevokedSecurityGroupRule, ...]:
            group = find_group(self._store, request.group_id, name)
            if any(permission.ipv6_ranges or permission.prefix_list_ids for permission in request.ip_permissions or ()):
                raise _missing_permission()  # nobody could authorize such a rule
            if request.security_group_rule_ids:
                gone = _named_by_id(group, request.security_group_rule_ids, is_egress=is_egress)
            else:
                gone = [rule for rule, _ in self._permissions(ctx, group, request, is_egress=is_egress)]
            if any(rule not in _rules(group, is_egress) for rule in gone):
                raise _missing_permission()
            check_dry_run(request.dry_run)
            keys = {canonical(rule, is_egress=is_egress) for rule in gone}
            rules = tuple(rule for rule in _rules(group, is_egress) if rule not in gone)
            details = {key: detail for key, detail in group.rule_details.items() if key not in keys}
            await self._store.commit(Put(_with_rules(group, rules, details, is_egress=is_egress)))
            return tuple(_revoked(ctx, group, rule, is_egress=is_egress) for rule in gone)

        return await writes.settle(attempt, internal_error)

    def _permissions(
        self, ctx: Context, group: SecurityGroup, request: Authorize | Revoke, *, is_egress: bool
    ) -> Permissions:
        """The rules that the request spells out, with the groups that they name looked up."""
        given = request.ip_permissions or ()
        single = _single_permission(request)
        if single is not None:
            if given or is_egress:
                raise Ec2Error("InvalidParameterCombination", "Use IpPermissions alone to specify the rules.")
            given = (single,)
        if not given:
            raise Ec2Error("MissingParameter", "The request must contain the parameter ipPermissions")
        found = [each for permission in given for each in read_permission(self._with_ids(ctx, group, permission))]
        rules = [rule for rule, _ in found]
        if len(set(rules)) != len(rules):
            raise Ec2Error("InvalidParameterValue", "The same permission must not appear multiple times")
        return found

    def _with_ids(self, ctx: Context, group: SecurityGroup, permission: ec2.IpPermission) -> ec2.IpPermission:
        """The permission with each of its groups by id, checked to be one of the same account and VPC."""
        pairs = []
        for pair in permission.user_id_group_pairs or ():
            if pair.user_id not in (None, "", ctx.account) or pair.vpc_peering_connection_id:
                raise unsupported("cannot refer to another account's security group: there is one account")
            peer = find_group(self._store, pair.group_id, pair.group_name)
            if peer.vpc != group.vpc:
                raise Ec2Error(
                    "InvalidGroup.NotFound",
                    f"You have specified two resources that belong to different networks: {peer.id}, {group.id}",
                )
            pairs.append(replace(pair, group_id=peer.id))
        return replace(permission, user_id_group_pairs=tuple(pairs))


def _single_permission(request: Authorize | Revoke) -> ec2.IpPermission | None:
    """The old form, one rule in the request's own members; None if none of them is there."""
    if (request.ip_protocol, request.from_port, request.to_port, request.cidr_ip) == (None,) * 4:
        if request.source_security_group_name is None:
            return None
        return ec2.IpPermission(ip_protocol="-1", user_id_group_pairs=_old_pair(request))
    return ec2.IpPermission(
        ip_protocol=request.ip_protocol,
        from_port=request.from_port,
        to_port=request.to_port,
        ip_ranges=(ec2.IpRange(cidr_ip=request.cidr_ip),) if request.cidr_ip is not None else None,
        user_id_group_pairs=_old_pair(request),
    )


def _old_pair(request: Authorize | Revoke) -> tuple[ec2.UserIdGroupPair, ...] | None:
    name, owner = request.source_security_group_name, request.source_security_group_owner_id
    return None if name is None else (ec2.UserIdGroupPair(group_name=name, user_id=owner),)


def _check_new(group: SecurityGroup, rules: Iterable[Rule], *, is_egress: bool) -> None:
    there = _rules(group, is_egress)
    new = list(rules)
    for rule in new:
        if rule in there:
            raise duplicate(rule)
    if len(there) + len(new) > MAX_RULES:
        raise Ec2Error(
            "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached."
        )


def _named_by_id(group: SecurityGroup, ids: Iterable[str], *, is_egress: bool) -> list[Rule]:
    by_id = {group.rule_details[canonical(r, is_egress=is_egress)].id: r for r in _rules(group, is_egress)}
    for each in ids:
        if each not in by_id:
            raise _missing_rule(each)
    return [by_id[each] for each in dict.fromkeys(ids)]


def _missing_permission() -> Ec2Error:
    return Ec2Error("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")


def _missing_rule(rule: str) -> Ec2Error:
    return Ec2Error("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule}' does not exist")


def _rules(group: SecurityGroup, is_egress: bool) -> tuple[Rule, ...]:
    return group.rules.egress if is_egress else group.rules.ingress


def _with_rules(
    group: SecurityGroup, rules: tuple[Rule, ...], details: dict[str, RuleDetail], *, is_egress: bool
) -> SecurityGroup:
    side: Literal["egress", "ingress"] = "egress" if is_egress else "ingress"
    spec: SecurityGroupSpec = replace(group.rules, **{side: rules})
    return replace(group, rules=spec, rule_details=details)


def _all_rules(ctx: Context, group: SecurityGroup) -> list[ec2.SecurityGroupRule]:
    return [
        _shape(ctx, group, rule, is_egress=is_egress)
        for is_egress in (False, True)
        for rule in _rules(group, is_egress)
    ]


def _shape(ctx: Context, group: SecurityGroup, rule: Rule, *, is_egress: bool) -> ec2.SecurityGroupRule:
    detail = group.rule_details[canonical(rule, is_egress=is_egress)]
    # DescribeSecurityGroupRules gives -1 for "no ports", unlike DescribeSecurityGroups, which leaves them out.
    return ec2.SecurityGroupRule(
        security_group_rule_id=detail.id,
        security_group_rule_arn=(
            f"arn:{partition(ctx.region)}:ec2:{ctx.region}:{ctx.account}:security-group-rule/{detail.id}"
        ),
        group_id=group.id,
        group_owner_id=ctx.account,
        is_egress=is_egress,
        ip_protocol=rule.protocol,
        from_port=-1 if rule.from_port is None else rule.from_port,
        to_port=-1 if rule.to_port is None else rule.to_port,
        cidr_ipv4=rule.cidr,
        referenced_group_info=(
            ec2.ReferencedSecurityGroup(group_id=rule.group, user_id=ctx.account) if rule.group else None
        ),
        description=detail.description or None,
        tags=to_shapes(detail.tags),
    )


def _revoked(ctx: Context, group: SecurityGroup, rule: Rule, *, is_egress: bool) -> ec2.RevokedSecurityGroupRule:
    shape = _shape(ctx, group, rule, is_egress=is_egress)
    return ec2.RevokedSecurityGroupRule(
        security_group_rule_id=shape.security_group_rule_id,
        group_id=group.id,
        is_egress=is_egress,
        ip_protocol=shape.ip_protocol,
        from_port=shape.from_port,
        to_port=shape.to_port,
        cidr_ipv4=rule.cidr,
        referenced_group_id=rule.group,
        description=shape.description,
    )


_KIND: Kind[ec2.SecurityGroupRule] = Kind(
    operation="DescribeSecurityGroupRules",
    key=lambda rule: rule.security_group_rule_id or "",
    fields={
        "group-id": lambda rule: [rule.group_id],
        "security-group-rule-id": lambda rule: [rule.security_group_rule_id],
    },
    tags=lambda rule: {tag.key or "": tag.value or "" for tag in rule.tags or ()},
    missing=_missing_rule,
)
