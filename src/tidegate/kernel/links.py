"""
rtnetlink requests, as data: what makes and configures links, addresses, routes and neighbours. Pure.

Interfaces that a request makes are named, those that it configures later are given by index, which can't be reused by
another one meanwhile. IPv4 only. The numbers are those of linux/if_link.h, if_bridge.h, rtnetlink.h and neighbour.h.
"""

from __future__ import annotations

import errno
import socket
import struct

from tidegate.kernel.netlink import (
    ADDRESS,
    CREATE,
    EXCLUSIVE,
    LINK,
    NEIGHBOUR,
    REPLACE,
    ROUTE,
    RTM_DELLINK,
    RTM_DELNEIGH,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    Message,
    attribute,
)

_NESTED = 0x8000
_UP = 1
_AF_BRIDGE = 7
_TABLE_MAIN = 254
_SCOPE_LINK = 253
_PERMANENT = 0x80
_NO_ARP = 0x40  # in a bridge: static, where permanent would mean an address of the bridge itself


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def _nested(kind: int, *values: bytes) -> bytes:
    return attribute(kind | _NESTED, *values)


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def add_bridge(name: str, mac: str, mtu: int) -> Message:
    """A bridge without spanning tree and without multicast snooping."""
    options = _nested(2, _number(5, 0), attribute(23, b"\0"))
    body = LINK.pack(0, 0, 0, 0, 0) + _text(3, name) + attribute(1, _mac(mac)) + _number(4, mtu)
    body += _nested(18, _text(1, "bridge"), options)
    return Message(f"add bridge {name} {mac} mtu {mtu}", RTM_NEWLINK, CREATE | EXCLUSIVE, body)


def add_veth(name: str, peer: str, namespace: int, bridge: int, mtu: int) -> Message:
    """A pair of interfaces: `name` here as a port of the bridge with that index, `peer` in the namespace (a file)."""
    inside = LINK.pack(0, 0, 0, 0, 0) + _text(3, peer) + _number(4, mtu) + attribute(28, struct.pack("=i", namespace))
    body = LINK.pack(0, 0, 0, 0, 0) + _text(3, name) + _number(4, mtu) + _number(10, bridge)
    body += _nested(18, _text(1, "veth"), _nested(2, _nested(1, inside)))
    return Message(f"add veth {name} to {peer} mtu {mtu}", RTM_NEWLINK, CREATE | EXCLUSIVE, body)


def isolate_port(name: str) -> Message:
    """A bridge port that talks to the bridge alone: isolated, learns nothing, gets no floods, has no IPv6 address."""
    off, on = b"\0", b"\1"
    # isolated, learning, unicast flood, multicast flood, broadcast flood
    port = b"".join(attribute(kind, value) for kind, value in ((33, on), (8, off), (9, off), (27, off), (30, off)))
    body = LINK.pack(0, 0, 0, 0, 0) + _text(3, name) + _nested(18, _text(4, "bridge"), _nested(5, port))
    body += _nested(26, _nested(socket.AF_INET6, attribute(8, b"\1")))
    return Message(f"isolate port {name}", RTM_NEWLINK, 0, body)


def quieten_port(name: str) -> Message:
    """A bridge port that other ports may talk to; it learns nothing, gets no floods, and has no IPv6 address."""
    port = b"".join(attribute(kind, b"\0") for kind in (8, 9, 27, 30))  # learning; unicast, multicast, broadcast flood
    body = LINK.pack(0, 0, 0, 0, 0) + _text(3, name) + _nested(18, _text(4, "bridge"), _nested(5, port))
    body += _nested(26, _nested(socket.AF_INET6, attribute(8, b"\1")))
    return Message(f"quieten port {name}", RTM_NEWLINK, 0, body)


def set_up(name: str, mac: str | None = None) -> Message:
    """Bring an interface up, with a hardware address if one is given."""
    body = LINK.pack(0, 0, 0, _UP, _UP) + _text(3, name) + (attribute(1, _mac(mac)) if mac else b"")
    return Message(f"set {name} up{' ' + mac if mac else ''}", RTM_NEWLINK, 0, body)


def set_alias(name: str, alias: str) -> Message:
    """Words for people (and for us, after a crash) on an interface."""
    body = LINK.pack(0, 0, 0, 0, 0) + _text(3, name) + attribute(20, alias.encode())
    return Message(f"set alias of {name} to {alias!r}", RTM_NEWLINK, 0, body)


def remove_link(name: str) -> Message:
    """An interface that is gone already is no error."""
    body = LINK.pack(0, 0, 0, 0, 0) + _text(3, name)
    return Message(f"remove {name}", RTM_DELLINK, 0, body, frozenset({errno.ENODEV}))


def add_address(link: int, address: str, prefix_length: int) -> Message:
    """An IPv4 address on the interface with that index; one that is there already is no error."""
    raw = socket.inet_aton(address)
    body = ADDRESS.pack(socket.AF_INET, prefix_length, 0, 0, link) + attribute(2, raw) + attribute(1, raw)
    what = f"add address {address}/{prefix_length} to link {link}"
    return Message(what, RTM_NEWADDR, CREATE | EXCLUSIVE, body, frozenset({errno.EEXIST}))


def add_route(network: str, link: int, gateway: str | None = None) -> Message:
    """A route to `network` (with its prefix length) out of the interface with that index."""
    destination, _, length = network.partition("/")
    scope = 0 if gateway else _SCOPE_LINK
    body = ROUTE.pack(socket.AF_INET, int(length), 0, 0, _TABLE_MAIN, 4, scope, 1, 0) + _number(4, link)
    if int(length):
        body += attribute(1, socket.inet_aton(destination))
    if gateway:
        body += attribute(5, socket.inet_aton(gateway))
    what = f"add route {network}{' via ' + gateway if gateway else ''} on link {link}"
    return Message(what, RTM_NEWROUTE, CREATE | REPLACE, body)


def add_neighbour(link: int, address: str, mac: str) -> Message:
    """A neighbour that is never asked for and never forgotten; replaces what was known."""
    body = NEIGHBOUR.pack(socket.AF_INET, link, _PERMANENT, 0, 1) + attribute(1, socket.inet_aton(address))
    body += attribute(2, _mac(mac))
    return Message(f"add neighbour {address} {mac} on link {link}", RTM_NEWNEIGH, CREATE | REPLACE, body)


def remove_neighbour(link: int, address: str) -> Message:
    """A neighbour that is gone already is no error."""
    body = NEIGHBOUR.pack(socket.AF_INET, link, 0, 0, 0) + attribute(1, socket.inet_aton(address))
    ignored = frozenset({errno.ENOENT, errno.ENODEV})
    return Message(f"remove neighbour {address} on link {link}", RTM_DELNEIGH, 0, body, ignored)


def add_forwarding(port: int, mac: str) -> Message:
    """Frames for this hardware address leave the bridge by the port with that index."""
    body = NEIGHBOUR.pack(_AF_BRIDGE, port, _NO_ARP, 4, 0) + attribute(2, _mac(mac))
    return Message(f"forward {mac} to port {port}", RTM_NEWNEIGH, CREATE | REPLACE, body)
