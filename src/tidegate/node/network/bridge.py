"""
The network of this host's tasks: a bridge, a namespace each, and one firewall between them and everything.

All traffic of a task goes by the bridge's gateway address through the host's forwarding, where nftables judges it;
ports of the bridge are isolated from one another. The kernel's work is `wiring`'s, on a worker thread, one call at a
time: a call takes about a millisecond, too long for an event loop that many tasks share.

A Linux bridge has at most 1,023 ports, warm namespaces included: so many tasks fit on a host.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from tidegate.model.spec import NetworkSpec, SecurityGroupSpec
from tidegate.node.network.names import API_PORT, ENDPOINT_PORT, Names
from tidegate.node.network.resolver import find_resolvers
from tidegate.node.network.wiring import Wiring

T = TypeVar("T")


class BridgeNetwork:
    """
    The network contract on this host. Needs root.

    directory: on the host's mount namespace (or below a shared mount), so that what is bound there outlives the
    process. instance: eight lower-case hex digits, unique on the host. cidr: all addresses that tasks may get (see
    `ranges.pick_cidr`). resolvers: the name servers that tasks may ask; by default the host's own, read anew by
    `reconcile_host_firewall`. pool_size: namespaces kept ready. offers_api: tasks may call a second port of the
    endpoint's address, see `listen_for_api`.
    """

    def __init__(
        self,
        instance: str,
        directory: Path,
        cidr: str,
        *,
        resolvers: tuple[str, ...] | None = None,
        pool_size: int = 8,
        offers_api: bool = False,
    ) -> None:
        ports = (ENDPOINT_PORT, API_PORT) if offers_api else (ENDPOINT_PORT,)
        find = find_resolvers if resolvers is None else lambda: resolvers
        self._wiring = Wiring(Names(instance), directory, cidr, find, pool_size, ports)
        self._turn: anyio.CapacityLimiter | None = None

    async def open(self) -> None:
        """See Network; also finds what an earlier process of ours left, and takes away what it left half done."""
        await self._run(self._wiring.open)

    def listen_to_tasks(self) -> socket.socket:
        """A socket that listens at 169.254.170.2:80 to these tasks and to nobody else; for the taking, once open."""
        return self._wiring.endpoint.listeners[ENDPOINT_PORT].dup()

    def listen_for_api(self) -> socket.socket:
        """The same at 169.254.170.2:4566, with `offers_api`."""
        return self._wiring.endpoint.listeners[API_PORT].dup()

    async def attach(self, task: str, spec: NetworkSpec) -> Path:
        """See Network. Raises PortInUse, NetworkFailure (also: the task is attached with another specification)."""
        return await self._run(lambda: self._wiring.attach(task, spec))

    async def detach(self, task: str) -> None:
        """See Network."""
        await self._run(lambda: self._wiring.detach(task))

    def attached(self) -> set[str]:
        """See Network."""
        return self._wiring.attached

    async def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        """See Network. The groups are remembered, and bind again when a later process opens the network."""
        await self._run(lambda: self._wiring.apply_security_groups(groups))

    async def reconcile_host_firewall(self) -> tuple[str, ...]:
        """
        See to it that the host's own firewall and default routes, as they are now, go with our rules.

        To be called every half minute or so. Returns what stands in the way and is not ours to change.
        """
        return await self._run(self._wiring.reconcile_host_firewall)

    async def close(self, *, remove: bool) -> None:
        """See Network."""
        await self._run(lambda: self._wiring.close(remove=remove))

    async def _run(self, step: Callable[[], T]) -> T:
        """A step is never left half way: who waits for it is cancelled when it is done."""
        if self._turn is None:
            self._turn = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(step, limiter=self._turn)
