"""VPCs and subnets: DescribeVpcs, DescribeVpcAttribute and DescribeSubnets."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network

from tidegate.api import ec2
from tidegate.api.shape import Context
from tidegate.model.account import Subnet, Vpc
from tidegate.model.arn import partition
from tidegate.services.ec2.errors import Ec2Error, check_dry_run
from tidegate.services.ec2.interfaces import tasks_with_interface
from tidegate.services.ec2.listing import Kind, describe
from tidegate.services.ec2.tag_rules import to_shapes
from tidegate.services.ec2.zones import zone_id
from tidegate.store.store import Store

RESERVED_ADDRESSES = 5
"""The first four of a subnet and its last, as on AWS."""

_ATTRIBUTES = {"enableDnsHostnames": True, "enableDnsSupport": True, "enableNetworkAddressUsageMetrics": False}
"""Tasks have names and find a resolver; nobody counts addresses' use."""


def missing_vpc(vpc: str) -> Ec2Error:
    """InvalidVpcID.NotFound."""
    return Ec2Error("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")


def missing_subnet(subnet: str) -> Ec2Error:
    """InvalidSubnetID.NotFound."""
    return Ec2Error("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")


_VPC: Kind[ec2.Vpc] = Kind(
    operation="DescribeVpcs",
    key=lambda vpc: vpc.vpc_id or "",
    fields={
        "vpc-id": lambda vpc: [vpc.vpc_id],
        "cidr": lambda vpc: [vpc.cidr_block],
        "cidr-block-association.cidr-block": lambda vpc: [vpc.cidr_block],
        "cidr-block-association.state": lambda vpc: ["associated"],
        "is-default": lambda vpc: [vpc.is_default],
        "isDefault": lambda vpc: [vpc.is_default],
        "state": lambda vpc: [vpc.state],
        "owner-id": lambda vpc: [vpc.owner_id],
        "dhcp-options-id": lambda vpc: [vpc.dhcp_options_id],
    },
    tags=lambda vpc: {tag.key or "": tag.value or "" for tag in vpc.tags or ()},
    missing=missing_vpc,
)

_SUBNET: Kind[ec2.Subnet] = Kind(
    operation="DescribeSubnets",
    key=lambda subnet: subnet.subnet_id or "",
    fields={
        "subnet-id": lambda subnet: [subnet.subnet_id],
        "subnet-arn": lambda subnet: [subnet.subnet_arn],
        "vpc-id": lambda subnet: [subnet.vpc_id],
        "availability-zone": lambda subnet: [subnet.availability_zone],
        "availabilityZone": lambda subnet: [subnet.availability_zone],
        "availability-zone-id": lambda subnet: [subnet.availability_zone_id],
        "availabilityZoneId": lambda subnet: [subnet.availability_zone_id],
        "available-ip-address-count": lambda subnet: [subnet.available_ip_address_count],
        "cidr": lambda subnet: [subnet.cidr_block],
        "cidr-block": lambda subnet: [subnet.cidr_block],
        "cidrBlock": lambda subnet: [subnet.cidr_block],
        "default-for-az": lambda subnet: [subnet.default_for_az],
        "defaultForAz": lambda subnet: [subnet.default_for_az],
        "map-public-ip-on-launch": lambda subnet: [subnet.map_public_ip_on_launch],
        "owner-id": lambda subnet: [subnet.owner_id],
        "state": lambda subnet: [subnet.state],
    },
    tags=lambda subnet: {tag.key or "": tag.value or "" for tag in subnet.tags or ()},
    missing=missing_subnet,
)


class Vpcs:
    """The operations on VPCs and subnets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe_vpcs(self, ctx: Context, request: ec2.DescribeVpcsRequest) -> ec2.DescribeVpcsResult:
        """VPCs by id or filter."""
        check_dry_run(request.dry_run)
        found, token = describe(
            _VPC,
            [_vpc(ctx, vpc) for vpc in self._store.select(Vpc)],
            ids=request.vpc_ids,
            filters=request.filters,
            max_results=request.max_results,
            token=request.next_token,
        )
        return ec2.DescribeVpcsResult(vpcs=tuple(found), next_token=token)

    async def describe_vpc_attribute(
        self, ctx: Context, request: ec2.DescribeVpcAttributeRequest
    ) -> ec2.DescribeVpcAttributeResult:
        """One attribute of a VPC; none of them can be changed."""
        if self._store.get(Vpc, request.vpc_id) is None:
            raise missing_vpc(request.vpc_id)
        check_dry_run(request.dry_run)
        value = ec2.AttributeBooleanValue(value=_ATTRIBUTES[request.attribute])
        match request.attribute:
            case "enableDnsHostnames":
                return ec2.DescribeVpcAttributeResult(vpc_id=request.vpc_id, enable_dns_hostnames=value)
            case "enableDnsSupport":
                return ec2.DescribeVpcAttributeResult(vpc_id=request.vpc_id, enable_dns_support=value)
            case _:
                return ec2.DescribeVpcAttributeResult(vpc_id=request.vpc_id, enable_network_address_usage_metrics=value)

    async def describe_subnets(self, ctx: Context, request: ec2.DescribeSubnetsRequest) -> ec2.DescribeSubnetsResult:
        """Subnets by id or filter, each with the number of its free addresses."""
        check_dry_run(request.dry_run)
        used = Counter(interface.subnet for _, interface in tasks_with_interface(self._store))
        found, token = describe(
            _SUBNET,
            [_subnet(ctx, subnet, used[subnet.id]) for subnet in self._store.select(Subnet)],
            ids=request.subnet_ids,
            filters=request.filters,
            max_results=request.max_results,
            token=request.next_token,
        )
        return ec2.DescribeSubnetsResult(subnets=tuple(found), next_token=token)


def _vpc(ctx: Context, vpc: Vpc) -> ec2.Vpc:
    association = ec2.VpcCidrBlockAssociation(
        association_id=f"vpc-cidr-assoc-{vpc.id.removeprefix('vpc-')}",
        cidr_block=vpc.cidr,
        cidr_block_state=ec2.VpcCidrBlockState(state="associated"),
    )
    return ec2.Vpc(
        vpc_id=vpc.id,
        cidr_block=vpc.cidr,
        cidr_block_association_set=(association,),
        dhcp_options_id="default",
        instance_tenancy="default",
        is_default=vpc.is_default,
        owner_id=ctx.account,
        state="available",
        tags=to_shapes(vpc.tags),
    )


def _subnet(ctx: Context, subnet: Subnet, used: int) -> ec2.Subnet:
    size = IPv4Network(subnet.cidr).num_addresses
    return ec2.Subnet(
        subnet_id=subnet.id,
        subnet_arn=f"arn:{partition(ctx.region)}:ec2:{ctx.region}:{ctx.account}:subnet/{subnet.id}",
        vpc_id=subnet.vpc,
        cidr_block=subnet.cidr,
        availability_zone=subnet.availability_zone,
        availability_zone_id=zone_id(subnet.availability_zone),
        available_ip_address_count=max(0, size - RESERVED_ADDRESSES - used),
        default_for_az=subnet.is_default,
        map_public_ip_on_launch=False,
        assign_ipv6_address_on_creation=False,
        ipv6_native=False,
        owner_id=ctx.account,
        state="available",
        tags=to_shapes(subnet.tags),
    )
