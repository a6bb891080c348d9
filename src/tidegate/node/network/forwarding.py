"""
The kernel settings of the host that the network needs, and their return.

Forwarding is one switch for the whole host. Who switches it on writes so into the bridge's alias, and servers that
come later copy that word; so the last bridge to go knows whether to switch it off, and a reboot forgets both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from tidegate.kernel import links
from tidegate.kernel.netlink import Link, Netlink
from tidegate.node.network.names import BRIDGE_PREFIX

SWITCHED_ON = "tidegate: forwarding was off"
_SETTINGS = Path("/proc/sys/net")
_FORWARD = _SETTINGS / "ipv4/ip_forward"


def is_bridge_of_ours(link: Link) -> bool:
    return link.kind == "bridge" and link.name.startswith(BRIDGE_PREFIX)


def enable_forwarding(socket: Netlink, bridge: str) -> None:
    """Let the host forward, and note it on `bridge` if it didn't before. Raises OSError."""
    was_off = _FORWARD.read_text().strip() == "0"
    marked = [link for link in socket.links() if is_bridge_of_ours(link) and link.alias == SWITCHED_ON]
    if was_off or marked:
        socket.run([links.set_alias(bridge, SWITCHED_ON)])
    if was_off:
        _FORWARD.write_text("1")


def must_restore_forwarding(present: Sequence[Link], bridge: str) -> bool:
    """Whether forwarding should end with `bridge`: one of us began it, and no other is left."""
    ours = {link.name: link for link in present if is_bridge_of_ours(link)}
    return ours.keys() == {bridge} and ours[bridge].alias == SWITCHED_ON


def disable_forwarding() -> None:
    _FORWARD.write_text("0")


def configure_bridge(bridge: str) -> None:
    """The bridge's own settings. Raises OSError."""
    settings = (
        ("ipv4", "forwarding", "1"),
        # Published ports are reachable at 127.0.0.1 of the host: such packets leave, and their answers come, by here.
        ("ipv4", "route_localnet", "1"),
        ("ipv4", "send_redirects", "0"),
        ("ipv6", "disable_ipv6", "1"),
    )
    for family, name, value in settings:
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            (_SETTINGS / family / "conf" / bridge / name).write_text(value)
