"""
Which name servers tasks ask.

For now those of the host: a loopback resolver (systemd-resolved's 127.0.0.53) can't be reached from a task's
namespace, so what it forwards to is used in its place. A name server of our own on the bridge comes with service
discovery.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

_CONFIGURATION = Path("/etc/resolv.conf")
_SYSTEMD_UPSTREAMS = Path("/run/systemd/resolve/resolv.conf")
_MOST = 3  # resolv.conf(5): MAXNS


def find_resolvers(configuration: Path = _CONFIGURATION, upstreams: Path = _SYSTEMD_UPSTREAMS) -> tuple[str, ...]:
    """IPv4 addresses of the host's resolvers that are not on loopback, at most three; empty if there are none."""
    return _read(configuration) or _read(upstreams)


def resolver_lines(resolvers: Iterable[str] | None = None) -> list[str]:
    """The lines of a task's /etc/resolv.conf: for these resolvers, or for the host's as they are now."""
    found = find_resolvers() if resolvers is None else resolvers
    return [f"nameserver {resolver}" for resolver in found]


def _read(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    words = (line.split() for line in lines)
    addresses = (line[1] for line in words if len(line) > 1 and line[0] == "nameserver")
    return tuple(dict.fromkeys(address for address in addresses if _is_usable(address)))[:_MOST]


def _is_usable(address: str) -> bool:
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast)
