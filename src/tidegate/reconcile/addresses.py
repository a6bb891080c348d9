"""
Addresses for tasks, out of their subnets.

As on AWS a subnet's first four addresses and its last are not given out. The next free address after the one given
last is taken, so that an address rests for as long as possible before somebody else gets it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from tidegate.model.account import Subnet
from tidegate.model.status import Interface

RESERVED_FIRST = 4


class AddressesExhausted(Exception):
    """The subnet has no free address."""


class Addresses:
    """Who has which address; rebuilt from the tasks at start."""

    def __init__(self) -> None:
        self._used: dict[str, set[int]] = {}
        self._last: dict[str, int] = {}

    def take(self, interface: Interface) -> None:
        """Note that an address is in use."""
        self._used.setdefault(interface.subnet, set()).add(int(IPv4Address(interface.address)))

    def give_back(self, interface: Interface) -> None:
        """The address is free again; once more is no harm."""
        self._used.get(interface.subnet, set()).discard(int(IPv4Address(interface.address)))

    def new_interface(self, subnet: Subnet, security_groups: Iterable[str], attachment: str) -> Interface:
        """A new interface with the next free address, which is taken. Raises AddressesExhausted."""
        network = IPv4Network(subnet.cidr)
        address = IPv4Address(self._next(subnet.id, network))
        interface = Interface(
            id=f"eni-{secrets.token_hex(9)[:17]}",
            attachment=attachment,
            subnet=subnet.id,
            vpc=subnet.vpc,
            availability_zone=subnet.availability_zone,
            address=str(address),
            prefix_length=network.prefixlen,
            gateway=str(network.network_address + 1),
            mac=mac_of(address),
            security_groups=tuple(security_groups),
        )
        self.take(interface)
        return interface

    def _next(self, subnet: str, network: IPv4Network) -> int:
        used = self._used.setdefault(subnet, set())
        first = int(network.network_address) + RESERVED_FIRST
        count = network.num_addresses - RESERVED_FIRST - 1
        if len(used) >= count:
            raise AddressesExhausted(f"subnet {subnet} ({network}) has no free address: all {count} are in use")
        candidate = self._last.get(subnet, first - 1)
        while True:
            candidate = candidate + 1 if candidate + 1 < first + count else first
            if candidate not in used:
                self._last[subnet] = candidate
                return candidate


def mac_of(address: IPv4Address) -> str:
    """A locally administered MAC address that follows from the IP address."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x74" + address.packed)
