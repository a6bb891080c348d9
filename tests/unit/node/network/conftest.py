"""A host of one's own with a network of tasks on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from fixtures.networks import CIDR, GROUPS, HostNetwork, host_network, unmount_below
from tidegate.node.network.bridge import BridgeNetwork

MakeNetwork = Callable[..., BridgeNetwork]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostNetwork]:
    """A host of one's own; no test leaves anything mounted, not even one that fails."""
    with host_network() as found:
        yield found
    assert unmount_below(tmp_path) == []


@pytest.fixture
async def network(host: HostNetwork, tmp_path: Path) -> AsyncIterator[BridgeNetwork]:
    """Open, with the groups of `fixtures.networks`; emptied and removed at the end."""
    found = BridgeNetwork("00c0ffee", tmp_path, CIDR, resolvers=(), pool_size=1)
    await found.open()
    try:
        await found.apply_security_groups(GROUPS)
        yield found
    finally:
        for task in found.attached():
            await found.detach(task)
        await found.close(remove=True)
