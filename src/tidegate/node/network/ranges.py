"""Where the addresses of a new server's tasks come from: a range that the host doesn't use yet."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tidegate.kernel.netlink import Netlink
from tidegate.node.network.network import NetworkFailure
from tidegate.node.network.resolver import find_resolvers

_SPACE = ipaddress.IPv4Network("10.64.0.0/10")
_PREFIX_LENGTH = 16
_COUNT = 1 << (_PREFIX_LENGTH - _SPACE.prefixlen)


def find_taken_ranges() -> list[str]:
    """The networks that this host has addresses in or routes to (but for the default), and its resolvers."""
    socket = Netlink()
    try:
        routes = [route.network for route in socket.routes() if not route.network.endswith("/0")]
        return [*routes, *(address for _, address in socket.addresses()), *find_resolvers()]
    finally:
        socket.close()


def pick_cidr(instance: str, taken: Iterable[str] | None = None) -> str:
    """
    A /16 of 10.64.0.0/10 that overlaps nothing of `taken`, by default what this host uses now.

    The search starts at a place derived from the instance, so that servers on different hosts seldom share a range.
    Raises NetworkFailure if all 64 are taken.
    """
    networks = [
        ipaddress.ip_network(network, strict=False) for network in (find_taken_ranges() if taken is None else taken)
    ]
    used = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    start = int(instance, 16)
    for offset in range(_COUNT):
        first = int(_SPACE.network_address) + ((start + offset) % _COUNT << (32 - _PREFIX_LENGTH))
        candidate = ipaddress.IPv4Network((first, _PREFIX_LENGTH))
        if not any(candidate.overlaps(network) for network in used):
            return str(candidate)
    raise NetworkFailure(f"cannot find a range for tasks: this host has routes into every /16 of {_SPACE}; name one")
