"""Amazon EC2's network subset: every operation, put together from the modules that know one resource each."""

from __future__ import annotations

from tidegate.services.ec2.group_rules import GroupRules
from tidegate.services.ec2.interfaces import NetworkInterfaces
from tidegate.services.ec2.route_tables import RouteTables
from tidegate.services.ec2.security_groups import SecurityGroups
from tidegate.services.ec2.tags import ResourceTags
from tidegate.services.ec2.vpcs import Vpcs
from tidegate.services.ec2.zones import Zones
from tidegate.services.writes import Clock
from tidegate.store.store import Store


class Ec2:
    """Satisfies the generated `api.ec2.Api`. now: seconds since the epoch; no operation needs it yet."""

    def __init__(self, store: Store, now: Clock) -> None:
        vpcs = Vpcs(store)
        self.describe_vpcs = vpcs.describe_vpcs
        self.describe_vpc_attribute = vpcs.describe_vpc_attribute
        self.describe_subnets = vpcs.describe_subnets
        self.describe_availability_zones = Zones(store).describe_availability_zones
        self.describe_route_tables = RouteTables(store).describe_route_tables
        self.describe_network_interfaces = NetworkInterfaces(store).describe_network_interfaces

        groups = SecurityGroups(store)
        self.describe_security_groups = groups.describe_security_groups
        self.create_security_group = groups.create_security_group
        self.delete_security_group = groups.delete_security_group

        rules = GroupRules(store)
        self.describe_security_group_rules = rules.describe_security_group_rules
        self.authorize_security_group_ingress = rules.authorize_security_group_ingress
        self.authorize_security_group_egress = rules.authorize_security_group_egress
        self.revoke_security_group_ingress = rules.revoke_security_group_ingress
        self.revoke_security_group_egress = rules.revoke_security_group_egress

        tags = ResourceTags(store)
        self.create_tags = tags.create_tags
        self.delete_tags = tags.delete_tags
