"""
The kernel's table of connections, by netlink: what it follows, and forgetting it.

The wire format is that of the kernel's linux/netfilter/nfnetlink_conntrack.h. A filter by address spares copying the
table, not walking it: some milliseconds on a table of the usual size.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel.netlink import Message, Netlink, attribute, attributes

_NETLINK_NETFILTER = 12
_GET, _DELETE = 0x101, 0x102
_HEADER = struct.pack("=BBH", socket.AF_INET, 0, 0)
_ORIGINAL, _REPLY, _ID, _ZONE, _FILTER = 1, 2, 12, 18, 25
_NESTED = 0x8000
_BY_SOURCE = 1
_COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_DIRECTIONS = (_ORIGINAL, _REPLY)


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection. sources: who sends, in its first direction and in the answers. key: what names it."""

    sources: frozenset[str]
    key: bytes


class Conntrack:
    """A socket to the table of the network namespace it was opened in. Not for two threads at once."""

    def __init__(self) -> None:
        """Raises OSError where the kernel has no such interface."""
        self._netlink = Netlink(_NETLINK_NETFILTER)

    def close(self) -> None:
        self._netlink.close()

    def flows(self) -> Iterator[Flow]:
        """All IPv4 connections. Raises OSError."""
        return map(_parse, self._netlink.dump(_GET, _HEADER))

    def flows_of_many(self, addresses: Collection[str]) -> Iterator[Flow]:
        """Those in which one of the addresses has a part, by one walk. Raises OSError."""
        pattern = re.compile(b"|".join(re.escape(socket.inet_aton(address)) for address in addresses), re.DOTALL)
        for body in self._netlink.dump(_GET, _HEADER):
            # Most connections are none of these: reading one whole takes twenty times as long as passing over it.
            if pattern.search(body):
                flow = _parse(body)
                if not flow.sources.isdisjoint(addresses):
                    yield flow

    def flows_of(self, address: str) -> Iterator[Flow]:
        """Those in which the address has a part, whoever began them. Raises OSError."""
        raw = attribute(_NESTED | 1, attribute(1, socket.inet_aton(address)))
        for direction in _DIRECTIONS:
            by_source = attribute(_NESTED | _FILTER, attribute(direction, struct.pack("=I", _BY_SOURCE)))
            body = _HEADER + attribute(_NESTED | direction, raw) + by_source
            yield from map(_parse, self._netlink.dump(_GET, body))

    def remove(self, flows: Iterable[Flow]) -> None:
        """Forget them; those that have ended meanwhile are no error. Raises OSError."""
        gone = frozenset({errno.ENOENT})
        self._netlink.run([Message("forget a connection", _DELETE, 0, _HEADER + flow.key, gone) for flow in flows])


def count_flows() -> int:
    """How many connections the table has."""
    return int(_COUNT.read_text())


def _parse(body: bytes) -> Flow:
    values = attributes(body[len(_HEADER) :])
    sources = set()
    for direction in _DIRECTIONS:
        raw = attributes(attributes(values.get(direction, b"")).get(1, b"")).get(1)
        if raw is not None and len(raw) == 4:
            sources.add(socket.inet_ntoa(raw))
    key = attribute(_NESTED | _ORIGINAL, values.get(_ORIGINAL, b""))
    key += b"".join(attribute(kind, values[kind]) for kind in (_ID, _ZONE) if kind in values)
    return Flow(frozenset(sources), key)
