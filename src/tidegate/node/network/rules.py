"""
Security groups in nft's language: pure text, by AWS's rules.

Groups only allow; a task may do what any one of its groups allows. A rule names its peer by address range or by
group (the addresses of that group's members). Answers to what was allowed are allowed: that is connection tracking's
part, not the rules'. For icmp, from_port is the type and to_port the code, -1 or none meaning all.
Source: Amazon VPC User Guide, Security group rules; EC2 API Reference, IpPermission.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from tidegate.model.spec import Rule, SecurityGroupSpec
from tidegate.node.network.network import NetworkFailure

Side = Literal["saddr", "daddr"]
_GROUP = re.compile(r"[0-9A-Za-z-]{1,64}")


def set_name(group: str) -> str:
    """The nft set of a group's members. Raises NetworkFailure for an id that AWS would not give."""
    if not _GROUP.fullmatch(group):
        raise NetworkFailure(f"cannot make rules for security group {group!r}: not letters, digits and -")
    return "m_" + group.replace("-", "_")


@lru_cache(maxsize=4096)
def combination(groups: tuple[str, ...]) -> str:
    """A short name for a set of groups, whatever their order: tasks with the same groups share their chains."""
    return hashlib.sha256(",".join(sorted(set(groups))).encode()).hexdigest()[:16]


def referenced_groups(groups: Iterable[SecurityGroupSpec]) -> set[str]:
    """The groups that rules name as peers."""
    return {rule.group for group in groups for rule in (*group.ingress, *group.egress) if rule.group is not None}


def plan_chains(groups: tuple[str, ...], specs: Mapping[str, SecurityGroupSpec]) -> dict[str, tuple[str, ...]]:
    """
    The chains of a combination of groups, by name: `e_...` for what tasks send, `i_...` for what they get.

    What is allowed returns from `e_` (the receiver has a say as well) and is accepted in `i_`; the rest is dropped.
    A group without a specification allows nothing. Raises NetworkFailure for a rule that can't be expressed.
    """
    name = combination(groups)
    known = [specs[group] for group in sorted(set(groups)) if group in specs]
    egress = (render_rule(rule, "daddr") for group in known for rule in group.egress)
    ingress = (render_rule(rule, "saddr") for group in known for rule in group.ingress)
    return {
        f"e_{name}": (*dict.fromkeys(f"{match}return" for match in egress if match is not None), "drop"),
        f"i_{name}": (*dict.fromkeys(f"{match}accept" for match in ingress if match is not None), "drop"),
    }


def render_rule(rule: Rule, side: Side) -> str | None:
    """A rule's match, e.g. `ip saddr 10.0.0.0/8 tcp dport 80-90 `; None if it can only ever match IPv6."""
    peer = _render_peer(rule, side)
    protocol = _render_protocol(rule)
    return None if peer is None or protocol is None else peer + protocol


def _render_peer(rule: Rule, side: Side) -> str | None:
    if rule.group is not None:
        return f"ip {side} @{set_name(rule.group)} "
    try:
        network = ipaddress.ip_network(rule.cidr or "", strict=False)
    except ValueError as error:
        raise NetworkFailure(f"cannot make a rule for {rule.cidr!r}: {error}") from error
    if network.version == 6:
        return None
    return f"ip {side} {network} " if network.prefixlen else "meta nfproto ipv4 "


def _render_protocol(rule: Rule) -> str | None:
    protocol = rule.protocol.lower()
    if protocol == "-1":
        return ""
    if protocol in ("tcp", "udp", "6", "17"):
        name = {"6": "tcp", "17": "udp"}.get(protocol, protocol)
        return f"{name} dport {_render_range(rule)} " if _has_range(rule) else f"meta l4proto {name} "
    if protocol in ("icmp", "1"):
        return _render_icmp(rule)
    if protocol in ("icmpv6", "58"):
        return None
    if protocol.isascii() and protocol.isdigit() and int(protocol) < 256:
        return f"meta l4proto {int(protocol)} "
    raise NetworkFailure(f"cannot make a rule for protocol {rule.protocol!r}: not tcp, udp, icmp, -1 or a number")


def _has_range(rule: Rule) -> bool:
    return (rule.from_port, rule.to_port) not in ((None, None), (-1, -1), (0, 65535))


def _render_range(rule: Rule) -> str:
    low, high = rule.from_port, rule.to_port if rule.to_port is not None else rule.from_port
    if low is None or high is None or not 0 <= low <= high <= 65535:
        raise NetworkFailure(f"cannot make a rule for ports {low}-{high}: not a range within 0-65535")
    return str(low) if low == high else f"{low}-{high}"


def _render_icmp(rule: Rule) -> str:
    kind = -1 if rule.from_port is None else rule.from_port
    code = -1 if rule.to_port is None else rule.to_port
    if not (-1 <= kind <= 255 and -1 <= code <= 255):
        raise NetworkFailure(f"cannot make a rule for icmp type {kind} code {code}: not within 0-255")
    if kind == -1:
        return "meta l4proto icmp "
    return f"icmp type {kind} " + (f"icmp code {code} " if code != -1 else "")
