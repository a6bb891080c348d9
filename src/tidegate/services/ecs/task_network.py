"""The network configuration of a task: which subnets and security groups it may name."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.model.account import SecurityGroup, Subnet
from tidegate.store.store import Store

MAX_SUBNETS = 16
MAX_SECURITY_GROUPS = 5


def check_network(store: Store, network: ecs.NetworkConfiguration | None) -> None:
    """
    Refuse what an awsvpc task can't be attached to: InvalidParameterException with AWS's texts.

    assignPublicIp is kept and shown; there are no public addresses here, and tasks reach out by NAT either way.
    """
    config = network.awsvpc_configuration if network else None
    if config is None:
        raise ecs.InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if not config.subnets:
        raise ecs.InvalidParameterException("subnets can not be empty.")
    if len(config.subnets) > MAX_SUBNETS:
        raise ecs.InvalidParameterException(f"subnets can have at most {MAX_SUBNETS} items.")
    if len(config.security_groups or ()) > MAX_SECURITY_GROUPS:
        raise ecs.InvalidParameterException(f"securityGroups can have at most {MAX_SECURITY_GROUPS} items.")
    vpc = _vpc_of_subnets(store, config.subnets)
    _check_groups(store, config.security_groups or (), vpc)


def _vpc_of_subnets(store: Store, names: tuple[str, ...]) -> str:
    vpcs = set()
    for name in names:
        subnet = store.get(Subnet, name)
        if subnet is None:
            raise ecs.InvalidParameterException(
                f"Error retrieving subnet information for [{', '.join(names)}]: The subnet ID '{name}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            )
        vpcs.add(subnet.vpc)
    if len(vpcs) > 1:
        raise ecs.InvalidParameterException("All subnets must be in the same VPC.")
    return vpcs.pop()


def _check_groups(store: Store, names: tuple[str, ...], vpc: str) -> None:
    for name in names:
        group = store.get(SecurityGroup, name)
        if group is None:
            raise ecs.InvalidParameterException(
                f"Error retrieving security group information for [{', '.join(names)}]: The security group '{name}' "
                "does not exist (ErrorCode: InvalidGroup.NotFound)"
            )
        if group.vpc != vpc:
            raise ecs.InvalidParameterException(
                f"Security Group {name} does not appear to belong to the same VPC as the input subnets."
            )
