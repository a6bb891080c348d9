"""Permissions of security groups: as EC2 writes them, and as the rules that engines are given. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from tidegate.api import ec2
from tidegate.model.account import RuleDetail
from tidegate.model.spec import Rule
from tidegate.services.ec2.errors import Ec2Error, unsupported

ALL = "-1"
ANYWHERE = "0.0.0.0/0"
_PROTOCOLS = {"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "icmp": "icmp", "1": "icmp", ALL: ALL, "all": ALL}
_BLOCK = re.compile(r"[0-9.]{7,15}/[0-9]{1,2}")
_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_DESCRIPTION_TEXT = (
    "Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
)


def read_permission(permission: ec2.IpPermission) -> list[tuple[Rule, str]]:
    """
    The rules that a permission stands for, one for each of its peers, with their descriptions.

    Groups must be named by id here. Raises Ec2Error for what is malformed, or not supported (IPv6, prefix lists).
    """
    if permission.ipv6_ranges:
        raise unsupported("cannot use Ipv6Ranges: IPv6 is not supported yet")
    if permission.prefix_list_ids:
        raise unsupported("cannot use PrefixListIds: prefix lists are not supported yet")
    protocol = _protocol(permission.ip_protocol)
    from_port, to_port = _ports(protocol, permission)
    rules = [
        (Rule(protocol=protocol, from_port=from_port, to_port=to_port, cidr=_cidr(r.cidr_ip)), r.description)
        for r in permission.ip_ranges or ()
    ] + [
        (Rule(protocol=protocol, from_port=from_port, to_port=to_port, group=pair.group_id), pair.description)
        for pair in permission.user_id_group_pairs or ()
    ]
    if not rules:
        raise Ec2Error("MissingParameter", "Either 'cidrIp' or 'groupId' should be provided in a permission.")
    return [(rule, check_description("rule", description)) for rule, description in rules]


def write_permissions(
    rules: Iterable[Rule], details: Mapping[str, RuleDetail], *, is_egress: bool, account: str
) -> tuple[ec2.IpPermission, ...]:
    """As DescribeSecurityGroups shows rules: those of equal protocol and ports together."""
    grouped: dict[tuple[str, int | None, int | None], list[Rule]] = {}
    for rule in rules:
        grouped.setdefault((rule.protocol, rule.from_port, rule.to_port), []).append(rule)
    return tuple(
        ec2.IpPermission(
            ip_protocol=protocol,
            from_port=from_port,
            to_port=to_port,
            ip_ranges=tuple(
                ec2.IpRange(cidr_ip=rule.cidr, description=_description(rule, details, is_egress))
                for rule in same
                if rule.cidr is not None
            ),
            user_id_group_pairs=tuple(
                ec2.UserIdGroupPair(
                    group_id=rule.group, user_id=account, description=_description(rule, details, is_egress)
                )
                for rule in same
                if rule.group is not None
            ),
            ipv6_ranges=(),
            prefix_list_ids=(),
        )
        for (protocol, from_port, to_port), same in grouped.items()
    )


def canonical(rule: Rule, *, is_egress: bool) -> str:
    """A rule as a text that is equal for equal rules: the key of `SecurityGroup.rule_details`."""
    direction = "egress" if is_egress else "ingress"
    return f"{direction} {rule.protocol} {rule.from_port} {rule.to_port} {rule.cidr or rule.group}"


def duplicate(rule: Rule) -> Ec2Error:
    """InvalidPermission.Duplicate with AWS's text."""
    ports = "" if rule.from_port is None else f", from port: {rule.from_port}, to port: {rule.to_port}"
    protocol = "ALL" if rule.protocol == ALL else rule.protocol.upper()
    return Ec2Error(
        "InvalidPermission.Duplicate",
        f'the specified rule "peer: {rule.cidr or rule.group}, {protocol}{ports}, ALLOW" already exists',
    )


def check_description(what: str, description: str | None) -> str:
    """The description, "" for none; Ec2Error if EC2 would refuse it."""
    if description is not None and not _DESCRIPTION.fullmatch(description):
        raise Ec2Error("InvalidParameterValue", f"Invalid {what} description. {_DESCRIPTION_TEXT}")
    return description or ""


def _description(rule: Rule, details: Mapping[str, RuleDetail], is_egress: bool) -> str | None:
    detail = details.get(canonical(rule, is_egress=is_egress))
    return detail.description or None if detail else None


def _protocol(name: str | None) -> str:
    if name is None:
        raise Ec2Error("MissingParameter", "The request must contain the parameter IpProtocol")
    protocol = _PROTOCOLS.get(name.lower())
    if protocol is None:
        raise Ec2Error(
            "InvalidParameterValue", f"Invalid value '{name}' for IP protocol. Supported are tcp, udp, icmp and -1."
        )
    return protocol


def _ports(protocol: str, permission: ec2.IpPermission) -> tuple[int | None, int | None]:
    """The inclusive range: ports, or for icmp type and code with -1 for all. All protocols have none."""
    if protocol == ALL:
        return None, None
    low, high = permission.from_port, permission.to_port
    least, largest = (-1, 255) if protocol == "icmp" else (0, 65535)
    if protocol == "icmp" and low is None and high is None:
        return -1, -1
    if low is None or high is None:
        raise Ec2Error("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports.")
    in_order = protocol == "icmp" or low <= high
    if not (least <= low <= largest and least <= high <= largest and in_order):
        raise Ec2Error("InvalidParameterValue", f"Invalid value '{low}-{high}' for portRange of protocol {protocol}.")
    return low, high


def _cidr(value: str | None) -> str:
    """The block with its host bits cleared, as EC2 keeps it."""
    malformed = Ec2Error("InvalidParameterValue", f"CIDR block {value} is malformed")
    if not _BLOCK.fullmatch(value or ""):
        raise malformed
    try:
        return str(IPv4Network(value or "", strict=False))
    except ValueError as error:
        raise malformed from error
