"""The skeleton of one server's tables in nft's language: what is there before any task and any group. Pure text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.node.network.names import ENDPOINT_ADDRESS, ENDPOINT_PORT, Names

CALLS = "limit rate over 60/second burst 120 packets"
"""What is too much for one task in connections to the endpoint, which answers 40 requests a second."""
FRAMES = "limit rate over 500/second burst 1000 packets"
"""And in frames of all kinds."""
MANY_FLOWS = "add @flows { ip saddr ct count over 4096 } drop"
"""
How many connections a task may have begun at a time: the kernel's table is the host's, and a full one lets nobody in.
"""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What the host adds: cidr, all tasks' range; uplinks, the interfaces with a default route; endpoint_ports, what tasks
    may call at the endpoint's address.
    """

    cidr: str
    uplinks: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    endpoint_ports: tuple[int, ...] = (ENDPOINT_PORT,)

    @property
    def called(self) -> str:
        """The endpoint's ports as nft writes them."""
        return f"{{ {', '.join(map(str, self.endpoint_ports))} }}"


def render_inet_table(names: Names, surroundings: Surroundings) -> str:
    """What is between tasks, the host and the world; replaces the table if it is there."""
    bridge = f'"{names.bridge}"'
    return f"""\
add table inet {names.table}
delete table inet {names.table}
table inet {names.table} {{
    set resolvers {{ type ipv4_addr;{_elements(surroundings.resolvers)} }}
    set uplinks {{ type ifname;{_elements(quoted(surroundings.uplinks))} }}
    set flows {{ type ipv4_addr; size 65535; flags dynamic; }}
    set selves {{ type ipv4_addr . ipv4_addr; }}
    map egress {{ type ipv4_addr : verdict; }}
    map ingress {{ type ipv4_addr : verdict; }}
    map published {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
    map published_everywhere {{ type inet_proto . inet_service : verdict; }}
{_ERROR}{_render_filter(bridge, surroundings.called)}{_render_translation(bridge, surroundings.cidr)}}}
"""


def render_bridge_table(names: Names, surroundings: Surroundings) -> str:
    """
    Who may send what from which port; replaces the table if it is there.

    What goes to the endpoint is counted here, per task: more than a client ever needs costs the kernel a dropped
    frame, and the server nothing.
    """
    return f"""\
add table bridge {names.table}
delete table bridge {names.table}
table bridge {names.table} {{
    set bindings {{ type ifname . ether_addr . ipv4_addr; }}
    set endpoint_calls {{ type ipv4_addr; size 4096; flags dynamic,timeout; timeout 1m; }}
    set endpoint_frames {{ type ipv4_addr; size 4096; flags dynamic,timeout; timeout 1m; }}
    chain prerouting {{
        type filter hook prerouting priority -300; policy accept;
        iifname "{names.port_prefix}*" jump port
    }}
    chain port_arp {{
        iifname . arp saddr ether . arp saddr ip @bindings accept
        drop
    }}
    chain endpoint {{
        ether daddr != {names.endpoint_mac} drop
        ip daddr != {ENDPOINT_ADDRESS} drop
        meta l4proto != tcp drop
        tcp dport != {surroundings.called} drop
        tcp flags & (fin | syn | rst | ack) == syn update @endpoint_calls {{ ip saddr {CALLS} }} drop
        update @endpoint_frames {{ ip saddr {FRAMES} }} drop
        accept
    }}
    chain bound {{
        ip daddr {ENDPOINT_ADDRESS} goto endpoint
        ether daddr {names.endpoint_mac} goto endpoint
        accept
    }}
    chain port {{
        ether type ip iifname . ether saddr . ip saddr @bindings goto bound
        ether type arp iifname . ether saddr . arp saddr ip @bindings goto port_arp
        drop
    }}
}}
"""


_ERROR = """\
    chain error {
        ip saddr . ct original ip saddr @selves return
        ip saddr . ct reply ip saddr @selves return
        drop
    }
"""
"""Of an error about a connection, from a task: it goes on if the task is one of the connection's ends."""


def _render_filter(bridge: str, called: str) -> str:
    return f"""\
    chain raw {{
        type filter hook prerouting priority -300; policy accept;
        iifname {bridge} ip daddr 127.0.0.0/8 drop
        iifname {bridge} ip daddr {ENDPOINT_ADDRESS} notrack
        iifname {bridge} ip saddr {ENDPOINT_ADDRESS} notrack
    }}
    chain input {{
        type filter hook input priority 0; policy accept;
        iifname != {bridge} accept
        ct state related jump error
        ct state established,related accept
        {MANY_FLOWS}
        ip daddr @resolvers meta l4proto {{ tcp, udp }} th dport 53 accept
        icmp type echo-request fib daddr . iif type local accept
        drop
    }}
    chain forward {{
        type filter hook forward priority 0; policy accept;
        iifname != {bridge} oifname != {bridge} accept
        iifname {bridge} oifname {bridge} ip daddr {ENDPOINT_ADDRESS} tcp dport {called} accept
        iifname {bridge} oifname {bridge} ip saddr {ENDPOINT_ADDRESS} tcp sport {called} accept
        iifname {bridge} ct state related jump error
        ct state vmap {{ established : accept, related : accept, invalid : drop }}
        iifname {bridge} jump from_task
        oifname {bridge} jump to_task
    }}
    chain from_task {{
        {MANY_FLOWS}
        ip daddr @resolvers meta l4proto {{ tcp, udp }} th dport 53 accept
        ip daddr {{ 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 }} drop
        oifname != {bridge} meta oifkind "bridge" oifname != @uplinks drop
        ip saddr vmap @egress
        drop
    }}
    chain to_task {{
        iifname != {bridge} ct status dnat accept
        ip daddr vmap @ingress
        drop
    }}
    chain output {{
        type filter hook output priority 0; policy accept;
        oifname {bridge} icmp type redirect drop
    }}
"""


def _render_translation(bridge: str, cidr: str) -> str:
    return f"""\
    chain publish_arriving {{
        type nat hook prerouting priority -100; policy accept;
        iifname != {bridge} fib daddr type local jump publish
    }}
    chain publish_local {{
        type nat hook output priority -100; policy accept;
        fib daddr type local jump publish
    }}
    chain publish {{
        meta l4proto != {{ tcp, udp }} return
        ip daddr . meta l4proto . th dport vmap @published
        meta l4proto . th dport vmap @published_everywhere
    }}
    chain leaving {{
        type nat hook postrouting priority 100; policy accept;
        oifname {bridge} ip saddr 127.0.0.0/8 masquerade
        oifname != {bridge} ip saddr {cidr} masquerade
    }}
"""


def quoted(values: Iterable[str]) -> tuple[str, ...]:
    """Names of interfaces as elements of a set."""
    return tuple(f'"{value}"' for value in values)


def _elements(values: tuple[str, ...]) -> str:
    return f" elements = {{ {', '.join(values)} }};" if values else ""
