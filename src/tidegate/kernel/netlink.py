"""
rtnetlink, in this process: links, addresses, routes and neighbours without a child process. Knows nothing of tasks.

A batch is data: a list of `Message`, each with words for what it does, which is what tests compare, operators read
and errors quote. `Netlink.run` sends a batch in one system call and waits for all the answers. The wire format is
that of rtnetlink(7); the numbers are those of the kernel's linux/rtnetlink.h, if_link.h and neighbour.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
CREATE, EXCLUSIVE, REPLACE = 0x400, 0x200, 0x100
_DUMP_INTERRUPTED = 0x10
_HEADER = struct.Struct("=IHHII")
LINK = struct.Struct("=BxHiII")
ADDRESS = struct.Struct("=BBBBi")
ROUTE = struct.Struct("=BBBBBBBBI")
NEIGHBOUR = struct.Struct("=BxxxiHBB")
_AT_ONCE = 64  # messages in one system call: the answers to many more overflow the socket
_ANYWHERE = "0.0.0.0"  # noqa: S104  the default route, nothing is bound


@dataclass(frozen=True, slots=True)
class Message:
    """One request. what: `add address 10.0.0.2/32 to eth0`; ignored: error numbers that are as good as success."""

    what: str
    type: int
    flags: int
    body: bytes
    ignored: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. master: index of the bridge it is a port of, else 0."""

    index: int
    name: str
    kind: str
    master: int
    mtu: int
    alias: str


@dataclass(frozen=True, slots=True)
class Route:
    """A route to an IPv4 network; `0.0.0.0/0` is the default. link: index of the interface, 0 if it has none."""

    network: str
    link: int


def attribute(kind: int, *values: bytes) -> bytes:
    """One attribute, padded; several values make a nested one of attributes that are encoded already."""
    value = b"".join(values)
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of a message's body, by number without the flags; what is cut short is left out."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4 or offset + length > len(data):
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


class Netlink:
    """
    A socket to rtnetlink, or another protocol's, of the network namespace it was opened in.

    Not for two threads at once.
    """

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def run(self, batch: Sequence[Message]) -> None:
        """
        Send all, and wait until all are done.

        The kernel goes on after a message that fails. Raises OSError for the first failure, with the words of the
        message: `cannot add route ...: Network is unreachable`.
        """
        failures: list[tuple[int, Message]] = []
        for start in range(0, len(batch), _AT_ONCE):
            failures += self._run_at_once(batch[start : start + _AT_ONCE])
        for code, message in failures:
            raise OSError(code, f"cannot {message.what}: {os.strerror(code)}")

    def _run_at_once(self, batch: Sequence[Message]) -> list[tuple[int, Message]]:
        first = self._sequence + 1
        self._socket.send(b"".join(self._encode(message, _ACK | message.flags) for message in batch))
        failures: list[tuple[int, Message]] = []
        answers = 0
        while answers < len(batch):
            for kind, _, sequence, body in self._receive():
                if kind != _NLMSG_ERROR or not first <= sequence <= self._sequence:
                    continue
                answers += 1
                message, code = batch[sequence - first], -struct.unpack_from("=i", body)[0]
                if code and code not in message.ignored:
                    failures.append((code, message))
        return failures

    def links(self) -> list[Link]:
        """All interfaces of the namespace."""
        return [_parse_link(body) for body in self.dump(RTM_GETLINK, LINK.pack(0, 0, 0, 0, 0))]

    def find_link(self, name: str) -> Link | None:
        """The interface of that name."""
        request = Message(
            f"find {name}", RTM_GETLINK, 0, LINK.pack(0, 0, 0, 0, 0) + attribute(3, name.encode() + b"\0")
        )
        self._socket.send(self._encode(request, 0))
        for kind, _, _, body in self._receive():
            if kind == RTM_NEWLINK:
                return _parse_link(body)
            if kind == _NLMSG_ERROR and (code := -struct.unpack_from("=i", body)[0]) != errno.ENODEV:
                raise OSError(code, f"cannot find {name}: {os.strerror(code)}")
        return None

    def addresses(self) -> list[tuple[int, str]]:
        """All IPv4 addresses, each with the index of its interface and with its prefix length."""
        found = []
        for body in self.dump(RTM_GETADDR, ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)):
            _, length, _, _, link = ADDRESS.unpack_from(body)
            values = attributes(body[ADDRESS.size :])
            raw = values.get(2) or values.get(1)
            if raw is not None and len(raw) == 4:
                found.append((link, f"{socket.inet_ntoa(raw)}/{length}"))
        return found

    def routes(self) -> list[Route]:
        """All IPv4 routes to other networks, of all tables (not those to this host and to broadcast addresses)."""
        found = []
        for body in self.dump(RTM_GETROUTE, ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
            _, length, _, _, _, _, _, kind, _ = ROUTE.unpack_from(body)
            values = attributes(body[ROUTE.size :])
            if kind in (2, 3, 5) or (length and 1 not in values):  # local, broadcast, multicast
                continue
            network = f"{socket.inet_ntoa(values[1]) if length else _ANYWHERE}/{length}"
            found.append(Route(network, struct.unpack("=I", values[4])[0] if 4 in values else 0))
        return found

    def neighbours(self, link: int) -> list[str]:
        """The IPv4 addresses of the permanent neighbours on the interface with that index."""
        found = []
        for body in self.dump(RTM_GETNEIGH, NEIGHBOUR.pack(socket.AF_INET, link, 0, 0, 0)):
            _, at, state, _, _ = NEIGHBOUR.unpack_from(body)
            raw = attributes(body[NEIGHBOUR.size :]).get(1)
            if at == link and state & 0x80 and raw is not None:
                found.append(socket.inet_ntoa(raw))
        return found

    def _encode(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        length = _HEADER.size + len(message.body)
        header = _HEADER.pack(length, message.type, flags | _REQUEST, self._sequence, 0)
        return header + message.body + b"\0" * (-length % 4)

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        data = self._socket.recv(1 << 18)
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
            yield kind, flags, sequence, data[offset + _HEADER.size : offset + length]
            offset += (length + 3) & ~3

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """All that answers the request, each answer's body; anew while it changes meanwhile. Raises OSError."""
        for _ in range(10):
            found, is_whole = self._dump_once(Message("list", kind, 0, body))
            if is_whole:
                break
        return found

    def _dump_once(self, request: Message) -> tuple[list[bytes], bool]:
        """What was found, and whether nothing changed meanwhile."""
        self._socket.send(self._encode(request, _DUMP))
        found: list[bytes] = []
        is_whole = True
        while True:
            for kind, flags, sequence, body in self._receive():
                if sequence != self._sequence:
                    continue
                is_whole = is_whole and not flags & _DUMP_INTERRUPTED
                if kind == _NLMSG_DONE:
                    return found, is_whole
                if kind == _NLMSG_ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    raise OSError(code, f"cannot list: {os.strerror(code)}")
                found.append(body)


def _parse_link(body: bytes) -> Link:
    index = LINK.unpack_from(body)[2]
    values = attributes(body[LINK.size :])
    kind = attributes(values.get(18, b"")).get(1, b"")
    number = {key: struct.unpack("=I", values[key])[0] for key in (4, 10) if key in values}
    name, alias = (values.get(key, b"").rstrip(b"\0").decode(errors="replace") for key in (3, 20))
    return Link(index, name, kind.rstrip(b"\0").decode(), number.get(10, 0), number.get(4, 1500), alias)
