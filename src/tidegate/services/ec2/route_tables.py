"""
DescribeRouteTables: each VPC's main table, which all of its subnets go by.

It says what tasks' packets do: those for the VPC stay in it, all others leave by this machine, whose address they get.
"""

from __future__ import annotations

from tidegate.api import ec2
from tidegate.api.shape import Context
from tidegate.model.account import Vpc
from tidegate.services.ec2.errors import Ec2Error, check_dry_run
from tidegate.services.ec2.listing import Kind, describe
from tidegate.services.ec2.rules import ANYWHERE
from tidegate.store.store import Store

_KIND: Kind[ec2.RouteTable] = Kind(
    operation="DescribeRouteTables",
    key=lambda table: table.route_table_id or "",
    fields={
        "route-table-id": lambda table: [table.route_table_id],
        "vpc-id": lambda table: [table.vpc_id],
        "owner-id": lambda table: [table.owner_id],
        "association.main": lambda table: [each.main for each in table.associations or ()],
        "association.route-table-id": lambda table: [table.route_table_id],
        "association.route-table-association-id": lambda table: [
            each.route_table_association_id for each in table.associations or ()
        ],
        "association.subnet-id": lambda table: [],
        "association.gateway-id": lambda table: [],
        "route.destination-cidr-block": lambda table: [each.destination_cidr_block for each in table.routes or ()],
        "route.gateway-id": lambda table: [each.gateway_id for each in table.routes or ()],
        "route.state": lambda table: [each.state for each in table.routes or ()],
        "route.origin": lambda table: [each.origin for each in table.routes or ()],
    },
    tags=lambda table: {},
    missing=lambda table: Ec2Error("InvalidRouteTableID.NotFound", f"The routeTable ID '{table}' does not exist"),
)


class RouteTables:
    """The operation on route tables."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe_route_tables(
        self, ctx: Context, request: ec2.DescribeRouteTablesRequest
    ) -> ec2.DescribeRouteTablesResult:
        """Route tables by id or filter."""
        check_dry_run(request.dry_run)
        found, token = describe(
            _KIND,
            [_main_table(ctx, vpc) for vpc in self._store.select(Vpc)],
            ids=request.route_table_ids,
            filters=request.filters,
            max_results=request.max_results,
            token=request.next_token,
        )
        return ec2.DescribeRouteTablesResult(route_tables=tuple(found), next_token=token)


def _main_table(ctx: Context, vpc: Vpc) -> ec2.RouteTable:
    suffix = vpc.id.removeprefix("vpc-")
    table = f"rtb-{suffix}"
    association = ec2.RouteTableAssociation(
        main=True,
        route_table_association_id=f"rtbassoc-{suffix}",
        route_table_id=table,
        association_state=ec2.RouteTableAssociationState(state="associated"),
    )
    inside = ec2.Route(destination_cidr_block=vpc.cidr, gateway_id="local", origin="CreateRouteTable", state="active")
    outside = ec2.Route(
        destination_cidr_block=ANYWHERE, gateway_id=f"igw-{suffix}", origin="CreateRoute", state="active"
    )
    return ec2.RouteTable(
        route_table_id=table,
        vpc_id=vpc.id,
        owner_id=ctx.account,
        associations=(association,),
        routes=(inside, outside),
        propagating_vgws=(),
        tags=(),
    )
