"""What an engine is told of networks: a task's interface, and who may reach whom."""

from __future__ import annotations

from typing import Literal

import msgspec

Protocol = Literal["tcp", "udp"]


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the parts of a TaskSpec; equal content means equal value."""


class PublishedPort(Spec, frozen=True, kw_only=True):
    """A port of the host that leads to a port of the task."""

    host_port: int
    container_port: int
    protocol: Protocol = "tcp"
    host_address: str = "127.0.0.1"


class NetworkSpec(Spec, frozen=True, kw_only=True):
    """The task's own network interface (awsvpc)."""

    interface: str
    """eni-..."""
    address: str
    """IPv4, e.g. 10.64.0.10."""
    prefix_length: int
    """Of the subnet."""
    gateway: str
    mac: str
    hostname: str = ""
    security_groups: tuple[str, ...] = ()
    published: tuple[PublishedPort, ...] = ()


class Rule(Spec, frozen=True, kw_only=True):
    """One permission of a security group. Ports are inclusive; protocol `-1` means all of them."""

    protocol: str
    """tcp, udp, icmp or -1."""
    from_port: int | None = None
    to_port: int | None = None
    cidr: str | None = None
    group: str | None = None
    """A security group's id: its members' addresses. Exactly one of `cidr` and `group` is set."""


class SecurityGroupSpec(Spec, frozen=True, kw_only=True):
    """What may reach its members (ingress), and what they may reach (egress)."""

    id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
