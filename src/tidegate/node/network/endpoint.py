"""
Where tasks find the endpoint at 169.254.170.2: a namespace of its own, which is a port of the bridge like theirs.

No address and no port of the host is in between. The namespace holds nothing but a listening socket, whose accepted
connections the server's process reads like any others; a task's frames go to it straight over the bridge, so neither
the host's routing nor its packet filter nor security groups have a part in it, and the address a caller comes from is
the one that the bridge's rules hold it to. The namespace is held by its sockets alone: it ends with the process, and
the next one makes another, with the same addresses.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel import links, syscalls
from tidegate.kernel.netlink import Message, Netlink
from tidegate.node.network.names import ENDPOINT_ADDRESS, Names
from tidegate.node.network.sandbox import INTERFACE

BACKLOG = 256
_NAMESPACE = "/proc/thread-self/ns/net"
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_NO_IPV6 = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")


@dataclass(frozen=True, slots=True)
class EndpointSite:
    """
    listeners: to be copied, by port. inside: a socket to configure the namespace by; link: its interface.
    """

    listeners: Mapping[int, socket.socket]
    inside: Netlink
    link: int

    def add_tasks(self, tasks: Iterable[tuple[str, str]]) -> None:
        """Know where tasks are, by (address, hardware address): nothing on the bridge is asked. Raises OSError."""
        self.inside.run([links.add_neighbour(self.link, address, mac) for address, mac in tasks])

    def remove_task(self, address: str) -> None:
        """Forget it. Idempotent. Raises OSError."""
        self.inside.run([links.remove_neighbour(self.link, address)])

    def close(self) -> None:
        """Let go of the namespace; copies of the listener, and connections that they accepted, keep it a while."""
        for listener in self.listeners.values():
            listener.close()
        self.inside.close()


def open_endpoint(names: Names, bridge: int, mtu: int, cidr: str, ports: Sequence[int]) -> EndpointSite:
    """Make it anew, in place of what a process before us may have left. Blocks. Raises OSError."""
    # On a thread that ends with it: whoever enters a namespace does nothing else afterwards.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_make, names, bridge, mtu, cidr, ports).result()


def _make(names: Names, bridge: int, mtu: int, cidr: str, ports: Sequence[int]) -> EndpointSite:
    with contextlib.ExitStack() as undo:
        outside = undo.enter_context(contextlib.closing(Netlink()))
        outside.run([links.remove_link(names.endpoint)])
        syscalls.unshare(syscalls.CLONE_NEWNET)
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            _NO_IPV6.write_text("1")
        on_failure = undo.enter_context(contextlib.ExitStack())
        inside = Netlink()
        on_failure.callback(inside.close)
        file = os.open(_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        undo.callback(os.close, file)
        outside.run([links.add_veth(names.endpoint, INTERFACE, file, bridge, mtu)])
        ends = outside.find_link(names.endpoint), inside.find_link(INTERFACE)
        if ends[0] is None or ends[1] is None:
            raise OSError(f"cannot find {names.endpoint}: it went away")
        outside.run(plan_port(names, ends[0].index))
        inside.run(plan_namespace(names, ends[1].index, cidr))
        _FORWARDING.write_text("0")  # new namespaces start with the host's setting
        listeners = {}
        for port in ports:
            listeners[port] = socket.create_server((ENDPOINT_ADDRESS, port), backlog=BACKLOG)
            on_failure.callback(listeners[port].close)
            listeners[port].setblocking(False)
        on_failure.pop_all()
        return EndpointSite(listeners, inside, ends[1].index)


def plan_port(names: Names, index: int) -> list[Message]:
    """The host's end: a port that tasks' ports may talk to, always found, and deaf to what is not for it."""
    return [
        links.quieten_port(names.endpoint),
        links.set_up(names.endpoint),
        links.add_forwarding(index, names.endpoint_mac),
    ]


def plan_namespace(names: Names, link: int, cidr: str) -> list[Message]:
    """The endpoint's address, and the way to tasks and to nothing else."""
    return [
        links.set_up("lo"),
        links.set_up(INTERFACE, names.endpoint_mac),
        links.add_address(link, ENDPOINT_ADDRESS, 32),
        links.add_route(cidr, link),
    ]
