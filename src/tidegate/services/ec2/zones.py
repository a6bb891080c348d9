"""Availability zones: three in every region, all of them on this machine or its nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.api import ec2
from tidegate.api.shape import Context
from tidegate.model.account import Subnet
from tidegate.services.ec2.errors import Ec2Error, check_dry_run
from tidegate.services.ec2.listing import Kind, describe
from tidegate.store.store import Store


def zone_id(zone: str) -> str:
    """use1-az1 for us-east-1a, apne1-az3 for ap-northeast-1c: as AWS forms them, but the same in every account."""
    region, letter = zone[:-1], zone[-1]
    area, *middle, number = region.split("-")
    short = "".join(_short(word) for word in middle)
    return f"{area}{short}{number}-az{ord(letter) - ord('a') + 1}"


def _short(word: str) -> str:
    """n for north, ne for northeast, g for gov."""
    compound = re.fullmatch(r"(north|south)(east|west)", word)
    return compound[1][0] + compound[2][0] if compound else word[:1]


def _missing(name: str) -> Ec2Error:
    return Ec2Error("InvalidParameterValue", f"Invalid availability zone: [{name}]")


_KIND: Kind[ec2.AvailabilityZone] = Kind(
    operation="DescribeAvailabilityZones",
    key=lambda zone: zone.zone_name or "",
    fields={
        "zone-name": lambda zone: [zone.zone_name],
        "zone-id": lambda zone: [zone.zone_id],
        "region-name": lambda zone: [zone.region_name],
        "state": lambda zone: [zone.state],
        "group-name": lambda zone: [zone.group_name],
        "network-border-group": lambda zone: [zone.network_border_group],
        "opt-in-status": lambda zone: [zone.opt_in_status],
        "zone-type": lambda zone: [zone.zone_type],
        "message": lambda zone: [],
        "parent-zone-id": lambda zone: [],
        "parent-zone-name": lambda zone: [],
    },
    tags=lambda zone: {},
    missing=_missing,
)


class Zones:
    """The operation DescribeAvailabilityZones."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe_availability_zones(
        self, ctx: Context, request: ec2.DescribeAvailabilityZonesRequest
    ) -> ec2.DescribeAvailabilityZonesResult:
        """The zones that there are subnets in."""
        check_dry_run(request.dry_run)
        zones = [_shape(ctx, name) for name in self._names()]
        names = list(request.zone_names or ()) + _named_by_id(zones, request.zone_ids or ())
        found, _ = describe(_KIND, zones, ids=names, filters=request.filters, max_results=None, token=None)
        return ec2.DescribeAvailabilityZonesResult(availability_zones=tuple(found))

    def _names(self) -> list[str]:
        return sorted({subnet.availability_zone for subnet in self._store.select(Subnet)})


def _named_by_id(zones: Iterable[ec2.AvailabilityZone], ids: Iterable[str]) -> list[str]:
    by_id = {zone.zone_id: zone.zone_name or "" for zone in zones}
    for each in ids:
        if each not in by_id:
            raise _missing(each)
    return [by_id[each] for each in ids]


def _shape(ctx: Context, name: str) -> ec2.AvailabilityZone:
    return ec2.AvailabilityZone(
        zone_name=name,
        zone_id=zone_id(name),
        zone_type="availability-zone",
        region_name=ctx.region,
        group_name=f"{ctx.region}-zg-1",
        network_border_group=ctx.region,
        opt_in_status="opt-in-not-required",
        state="available",
        messages=(),
    )
