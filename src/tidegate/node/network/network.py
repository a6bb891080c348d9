"""
The contract of a task's network: one namespace, one address, and rules that bind.

    open -> (attach -> detach)* -> close

Addresses are chosen above; the network only makes them real. After a crash, `open` finds what is there: `attached`
tells whose interfaces, and attaching one of them again with the same specification gives it back unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tidegate.model.spec import NetworkSpec, SecurityGroupSpec


class NetworkFailure(Exception):
    """The interface could not be made; the message says which step failed and what to do."""


class PortInUse(NetworkFailure):
    """A published port of the host belongs to somebody else."""


class Network(Protocol):
    """Implementations: `bridge` (this host); a fake for tests of the node."""

    async def open(self) -> None:
        """Make the bridge, forwarding and the firewall, or find them. Raises NetworkFailure."""

    async def attach(self, task: str, spec: NetworkSpec) -> Path:
        """The task's network namespace, ready for use: address, routes, rules, published ports. Idempotent."""

    async def detach(self, task: str) -> None:
        """Take the interface, its rules and its ports away. Idempotent."""

    def attached(self) -> set[str]:
        """The tasks that have a namespace here."""

    async def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        """Make these the rules for all members, in one transaction; running connections keep what they were allowed."""

    async def close(self, *, remove: bool) -> None:
        """Stop; with `remove` (no task may be attached) take the bridge and the firewall away as well."""
