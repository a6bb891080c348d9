"""Security groups: made, shown and removed. Their rules change in `group_rules`."""

from __future__ import annotations

import re
import secrets

from msgspec.structs import replace

from tidegate.api import ec2
from tidegate.api.shape import Context
from tidegate.model.account import RuleDetail, SecurityGroup, Vpc
from tidegate.model.arn import partition
from tidegate.model.spec import Rule, SecurityGroupSpec
from tidegate.model.task import Task
from tidegate.services import writes
from tidegate.services.ec2.errors import Ec2Error, check_dry_run, internal_error
from tidegate.services.ec2.listing import Kind, Values, describe
from tidegate.services.ec2.rules import ALL, ANYWHERE, canonical, check_description, write_permissions
from tidegate.services.ec2.tag_rules import read_tags, to_shapes
from tidegate.store.store import Delete, Put, Store

DEFAULT_GROUP = "default"
_NAME = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
_ID = re.compile(r"sg-[0-9a-f]{8,17}")

EVERYTHING = Rule(protocol=ALL, cidr=ANYWHERE)


def new_id(prefix: str) -> str:
    """The prefix and 17 random hex digits, as EC2's ids are."""
    return f"{prefix}-{secrets.token_hex(9)[:17]}"


def new_group(vpc: str, name: str, description: str, *, ingress_from_itself: bool = False) -> SecurityGroup:
    """A group as EC2 makes it: egress to everywhere, ingress from nobody (the default group: from its members)."""
    group = new_id("sg")
    ingress = (Rule(protocol=ALL, group=group),) if ingress_from_itself else ()
    details = {canonical(EVERYTHING, is_egress=True): RuleDetail(id=new_id("sgr"))}
    details |= {canonical(rule, is_egress=False): RuleDetail(id=new_id("sgr")) for rule in ingress}
    return SecurityGroup(
        id=group,
        vpc=vpc,
        name=name,
        description=description,
        rules=SecurityGroupSpec(id=group, ingress=ingress, egress=(EVERYTHING,)),
        rule_details=details,
    )


def missing_group(group: str) -> Ec2Error:
    """InvalidGroup.NotFound; InvalidGroupId.Malformed if it could not be an id at all."""
    if not _ID.fullmatch(group):
        return Ec2Error("InvalidGroupId.Malformed", f'Invalid id: "{group}" (expecting "sg-...")')
    return Ec2Error("InvalidGroup.NotFound", f"The security group '{group}' does not exist")


def find_group(store: Store, group_id: str | None, name: str | None) -> SecurityGroup:
    """The group by id, or by name in the default VPC. Raises Ec2Error."""
    if group_id is not None:
        group = store.get(SecurityGroup, group_id)
        if group is None:
            raise missing_group(group_id)
        return group
    if name is None:
        raise Ec2Error("MissingParameter", "The request must contain the parameter groupName or groupId")
    vpc = default_vpc(store)
    for group in store.select(SecurityGroup):
        if (group.vpc, group.name) == (vpc.id, name):
            return group
    raise Ec2Error("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC '{vpc.id}'")


def default_vpc(store: Store) -> Vpc:
    """The account's default VPC. Raises Ec2Error."""
    for vpc in store.select(Vpc):
        if vpc.is_default:
            return vpc
    raise Ec2Error("VPCIdNotSpecified", "No default VPC for this user")


def _rule_fields(prefix: str, *, egress: bool) -> dict[str, Values[SecurityGroup]]:
    def rules(group: SecurityGroup) -> tuple[Rule, ...]:
        return group.rules.egress if egress else group.rules.ingress

    return {
        f"{prefix}.cidr": lambda group: [rule.cidr for rule in rules(group)],
        f"{prefix}.from-port": lambda group: [rule.from_port for rule in rules(group)],
        f"{prefix}.to-port": lambda group: [rule.to_port for rule in rules(group)],
        f"{prefix}.protocol": lambda group: [rule.protocol for rule in rules(group)],
        f"{prefix}.group-id": lambda group: [rule.group for rule in rules(group)],
    }


class SecurityGroups:
    """The operations on groups as a whole."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe_security_groups(
        self, ctx: Context, request: ec2.DescribeSecurityGroupsRequest
    ) -> ec2.DescribeSecurityGroupsResult:
        """Groups by id, by name in the default VPC, or by filter."""
        check_dry_run(request.dry_run)
        ids = list(request.group_ids or ()) + [
            find_group(self._store, None, name).id for name in request.group_names or ()
        ]
        found, token = describe(
            _kind(ctx),
            self._store.select(SecurityGroup),
            ids=ids,
            filters=request.filters,
            max_results=request.max_results,
            token=request.next_token,
        )
        return ec2.DescribeSecurityGroupsResult(
            security_groups=tuple(_shape(ctx, group) for group in found), next_token=token
        )

    async def create_security_group(
        self, ctx: Context, request: ec2.CreateSecurityGroupRequest
    ) -> ec2.CreateSecurityGroupResult:
        """A new group in a VPC, by default the default one; its name is its own there."""
        name = request.group_name
        if not _NAME.fullmatch(name) or name.lower().startswith("sg-"):
            raise Ec2Error("InvalidParameterValue", f"Value ({name[:255]}) for parameter GroupName is invalid.")
        if name.lower() == DEFAULT_GROUP:
            raise Ec2Error("InvalidParameterValue", f"Cannot use reserved security group name: {name}")
        description = check_description("security group", request.description)
        tags = read_tags(request.tag_specifications, "security-group")

        async def attempt() -> SecurityGroup:
            vpc = self._vpc(request.vpc_id)
            if any((group.vpc, group.name) == (vpc, name) for group in self._store.select(SecurityGroup)):
                raise Ec2Error("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc}'")
            check_dry_run(request.dry_run)
            made = replace(new_group(vpc, name, description), tags=tags)
            await self._store.commit(Put(made))
            return made

        group = await writes.settle(attempt, internal_error)
        return ec2.CreateSecurityGroupResult(
            group_id=group.id, tags=to_shapes(tags), security_group_arn=_arn(ctx, group.id)
        )

    async def delete_security_group(
        self, ctx: Context, request: ec2.DeleteSecurityGroupRequest
    ) -> ec2.DeleteSecurityGroupResult:
        """Remove a group that nothing refers to."""

        async def attempt() -> str:
            group = find_group(self._store, request.group_id, request.group_name)
            if group.name == DEFAULT_GROUP:
                raise Ec2Error(
                    "CannotDelete",
                    f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user',
                )
            if self._is_used(group.id):
                raise Ec2Error("DependencyViolation", f"resource {group.id} has a dependent object")
            check_dry_run(request.dry_run)
            await self._store.commit(Delete(group))
            return group.id

        return ec2.DeleteSecurityGroupResult(return_=True, group_id=await writes.settle(attempt, internal_error))

    def _vpc(self, vpc: str | None) -> str:
        if vpc is None:
            return default_vpc(self._store).id
        if self._store.get(Vpc, vpc) is None:
            raise Ec2Error("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
        return vpc

    def _is_used(self, group: str) -> bool:
        """By a task that has not stopped, or by another group's rule."""
        for task in self._store.select(Task, "active", "yes"):
            network = task.request.network_configuration
            config = network.awsvpc_configuration if network else None
            if group in ((config.security_groups if config else None) or ()):
                return True
        return any(
            rule.group == group
            for other in self._store.select(SecurityGroup)
            if other.id != group
            for rule in (*other.rules.ingress, *other.rules.egress)
        )


def _kind(ctx: Context) -> Kind[SecurityGroup]:
    return Kind(
        operation="DescribeSecurityGroups",
        key=lambda group: group.id,
        fields={
            "group-id": lambda group: [group.id],
            "group-name": lambda group: [group.name],
            "vpc-id": lambda group: [group.vpc],
            "description": lambda group: [group.description],
            "owner-id": lambda group: [ctx.account],
            **_rule_fields("ip-permission", egress=False),
            **_rule_fields("egress.ip-permission", egress=True),
        },
        tags=lambda group: group.tags,
        missing=missing_group,
    )


def _shape(ctx: Context, group: SecurityGroup) -> ec2.SecurityGroup:
    return ec2.SecurityGroup(
        group_id=group.id,
        group_name=group.name,
        description=group.description,
        vpc_id=group.vpc,
        owner_id=ctx.account,
        security_group_arn=_arn(ctx, group.id),
        ip_permissions=write_permissions(group.rules.ingress, group.rule_details, is_egress=False, account=ctx.account),
        ip_permissions_egress=write_permissions(
            group.rules.egress, group.rule_details, is_egress=True, account=ctx.account
        ),
        tags=to_shapes(group.tags),
    )


def _arn(ctx: Context, group: str) -> str:
    return f"arn:{partition(ctx.region)}:ec2:{ctx.region}:{ctx.account}:security-group/{group}"
