"""What every network of tasks promises the node: run over the bridge and over the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from fakes.network import FakeHost, FakeNetwork
from fixtures.networks import CIDR, GROUPS, host_network, network_spec, tcp_server, unmount_below
from tidegate.model.spec import PublishedPort
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.network import Network, NetworkFailure, PortInUse

pytestmark = pytest.mark.anyio

MakeNetwork = Callable[[], Network]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["fake", pytest.param("bridge", marks=pytest.mark.host)])
def make_network(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeNetwork]:
    """Makes networks of one host and directory, as a server does each time it starts."""
    if request.param == "fake":
        host = FakeHost(foreign_ports={("tcp", 7070)})
        yield lambda: FakeNetwork(host)
        return
    with host_network(), tcp_server(None, 7070):
        yield lambda: BridgeNetwork("00c0ffee", tmp_path, CIDR, resolvers=(), pool_size=1)
    assert unmount_below(tmp_path) == []


@pytest.fixture
def opened(make_network: MakeNetwork) -> Callable[[], AbstractAsyncContextManager[Network]]:
    """A network that is emptied and removed at the end."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Network]:
        network = make_network()
        await network.open()
        try:
            yield network
        finally:
            for task in network.attached():
                await network.detach(task)
            await network.close(remove=True)

    return opened


@pytest.fixture
async def network(opened: Callable[[], AbstractAsyncContextManager[Network]]) -> AsyncIterator[Network]:
    async with opened() as found:
        yield found


async def test_attach_gives_a_namespace_and_remembers_the_task(network: Network) -> None:
    """Attached means: has a namespace here."""
    path = await network.attach("a", network_spec(10))
    assert network.attached() == {"a"}
    assert path != await network.attach("b", network_spec(11))
    assert network.attached() == {"a", "b"}


async def test_attaching_again_gives_the_same_back(network: Network) -> None:
    """Attach is idempotent by task."""
    spec = network_spec(10, published=(PublishedPort(host_port=8080, container_port=80),))
    assert await network.attach("a", spec) == await network.attach("a", spec)


async def test_attaching_again_with_another_specification_is_refused(network: Network) -> None:
    """A running task's interface never changes under it."""
    await network.attach("a", network_spec(10))
    with pytest.raises(NetworkFailure, match="cannot attach task a: it is attached with another specification"):
        await network.attach("a", network_spec(11))


async def test_an_address_belongs_to_one_task(network: Network) -> None:
    """A second task with the same address is refused, and leaves nothing."""
    await network.attach("a", network_spec(10))
    with pytest.raises(NetworkFailure, match=r"cannot attach task b: the address 10\.90\.0\.10 is in use"):
        await network.attach("b", network_spec(10))
    assert network.attached() == {"a"}


async def test_detach_is_idempotent_and_frees_the_address(network: Network) -> None:
    """What is gone already is no error, and the next task may have what it had."""
    spec = network_spec(10, published=(PublishedPort(host_port=8080, container_port=80),))
    await network.attach("a", spec)
    await network.detach("a")
    await network.detach("a")
    assert network.attached() == set()
    await network.attach("b", spec)


@pytest.mark.parametrize("taken_by", ["a task", "another process"])
async def test_a_port_of_the_host_is_published_once(network: Network, taken_by: str) -> None:
    """A conflict is found at once, names address and port, and leaves nothing."""
    number = 8080 if taken_by == "a task" else 7070
    port = PublishedPort(host_port=number, container_port=80)
    await network.attach("a", network_spec(10, published=(port,) if taken_by == "a task" else ()))
    with pytest.raises(PortInUse, match=rf"cannot publish 127\.0\.0\.1:{number}/tcp: the port is in use"):
        await network.attach("b", network_spec(11, published=(port,)))
    assert network.attached() == {"a"}
    await network.attach("b", network_spec(11))


async def test_a_port_is_one_of_a_protocol(network: Network) -> None:
    """The same number over tcp and udp is two ports."""
    ports = tuple(PublishedPort(host_port=8080, container_port=80, protocol=kind) for kind in ("tcp", "udp"))
    await network.attach("a", network_spec(10, published=ports))


async def test_groups_may_be_applied_at_any_time(network: Network) -> None:
    """With and without members, more than once, and none at all."""
    await network.apply_security_groups(GROUPS)
    await network.attach("a", network_spec(10))
    await network.apply_security_groups(GROUPS)
    await network.apply_security_groups({})
    await network.detach("a")


async def test_a_network_with_tasks_is_not_removed(network: Network) -> None:
    """Removal never cuts a task off."""
    await network.attach("a", network_spec(10))
    with pytest.raises(NetworkFailure, match="cannot remove the network: 1 tasks are attached"):
        await network.close(remove=True)


async def test_what_is_attached_survives_close_and_open(make_network: MakeNetwork) -> None:
    """A server that restarts finds its tasks, and attaching them again gives back what they have."""
    spec = network_spec(10, published=(PublishedPort(host_port=8080, container_port=80),))
    first = make_network()
    await first.open()
    path = await first.attach("a", spec)
    await first.close(remove=False)
    second = make_network()
    await second.open()
    try:
        assert second.attached() == {"a"}
        assert await second.attach("a", spec) == path
        await second.detach("a")
        assert second.attached() == set()
    finally:
        await second.close(remove=True)
    await second.close(remove=False)
