"""The subnets that a task goes to when its user does not name any."""

from __future__ import annotations

import click

from tidegate.api import ec2
from tidegate.cli.query import call_query
from tidegate.cli.target import Target


def default_subnets(target: Target) -> tuple[str, ...]:
    """The ids of the default VPC's subnets, by EC2's DescribeSubnets. Raises click.ClickException."""
    answer = call_query(target, ec2, "DescribeSubnets", {"Filter.1.Name": "default-for-az", "Filter.1.Value.1": "true"})
    found = tuple(element.text or "" for element in answer.iter("subnetId"))
    if not found:
        raise click.ClickException("the server has no default subnets")
    return found
