"""A network without a kernel: remembers who is attached and what was published, and refuses as the real one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from tidegate.model.spec import NetworkSpec, SecurityGroupSpec
from tidegate.node.network.network import NetworkFailure, PortInUse


@dataclass(slots=True)
class FakeHost:
    """What outlives a network's process: namespaces, and the ports that somebody has."""

    namespaces: dict[str, NetworkSpec] = field(default_factory=dict)
    foreign_ports: set[tuple[str, int]] = field(default_factory=set)
    """(protocol, port) that belong to others."""


@dataclass(slots=True)
class FakeNetwork:
    """Set `failure` to make the next `attach` raise it."""

    host: FakeHost = field(default_factory=FakeHost)
    groups: dict[str, SecurityGroupSpec] = field(default_factory=dict)
    failure: NetworkFailure | None = None

    async def open(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def attach(self, task: str, spec: NetworkSpec) -> Path:
        await anyio.lowlevel.checkpoint()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        known = self.host.namespaces.get(task)
        if known is not None and known != spec:
            raise NetworkFailure(f"cannot attach task {task}: it is attached with another specification")
        if known is None:
            self._check(task, spec)
            self.host.namespaces[task] = spec
        return Path("/namespaces") / task

    async def detach(self, task: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.host.namespaces.pop(task, None)

    def attached(self) -> set[str]:
        return set(self.host.namespaces)

    async def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        await anyio.lowlevel.checkpoint()
        self.groups = dict(groups)

    async def close(self, *, remove: bool) -> None:
        await anyio.lowlevel.checkpoint()
        if remove and self.host.namespaces:
            raise NetworkFailure(f"cannot remove the network: {len(self.host.namespaces)} tasks are attached")

    def _check(self, task: str, spec: NetworkSpec) -> None:
        others = list(self.host.namespaces.values())
        if any(other.address == spec.address for other in others):
            raise NetworkFailure(f"cannot attach task {task}: the address {spec.address} is in use")
        taken = self.host.foreign_ports | {(p.protocol, p.host_port) for other in others for p in other.published}
        for port in spec.published:
            if (port.protocol, port.host_port) in taken:
                where = f"{port.host_address}:{port.host_port}/{port.protocol}"
                raise PortInUse(f"cannot publish {where}: the port is in use")
