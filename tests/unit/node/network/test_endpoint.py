"""The endpoint at 169.254.170.2: who reaches it and who does not, by real packets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.networks import (
    CIDR,
    GATEWAY,
    GROUPS,
    HostNetwork,
    answering,
    ask,
    ask_from,
    command,
    neighbour_container,
    network_spec,
    run_inside,
    tcp_server,
)
from fixtures.packets import answers_ping, is_silent, send_frame, udp_listener
from tidegate.model.spec import SecurityGroupSpec
from tidegate.node.network.bridge import BridgeNetwork

pytestmark = [pytest.mark.anyio, pytest.mark.host]

ENDPOINT = "169.254.170.2"
SOON = 0.25
TRACKED = Path("/proc/sys/net/netfilter/nf_conntrack_count")
BRIDGE_NETFILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


@pytest.fixture
def endpoint(network: BridgeNetwork) -> Iterator[list[str]]:
    """Answers at the endpoint: the addresses it was called from."""
    with answering(blocking(network)) as seen:
        yield seen


def blocking(network: BridgeNetwork) -> socket.socket:
    listener = network.listen_to_tasks()
    listener.setblocking(True)
    return listener


async def test_a_task_is_known_by_its_own_address(network: BridgeNetwork, endpoint: list[str]) -> None:
    """Each caller comes from the address that it was given, and gets its answer."""
    tasks = {n: await network.attach(f"t{n}", network_spec(n)) for n in (10, 11, 12)}
    for number, namespace in tasks.items():
        assert ask_from(namespace, ENDPOINT, 80) == f"10.90.0.{number}"
    assert endpoint == ["10.90.0.10", "10.90.0.11", "10.90.0.12"]


@pytest.mark.parametrize("filters_bridges", ["0", "1"])
async def test_security_groups_have_no_part_in_it(
    network: BridgeNetwork, endpoint: list[str], filters_bridges: str
) -> None:
    """A task that may send nothing anywhere reaches it, also where the host filters what is bridged, as with docker."""
    if BRIDGE_NETFILTER.exists():
        BRIDGE_NETFILTER.write_text(filters_bridges)
    await network.apply_security_groups({"sg-closed": SecurityGroupSpec(id="sg-closed")})
    closed = await network.attach("a", network_spec(10, "sg-closed"))
    other = await network.attach("b", network_spec(11))
    with tcp_server(other, 80):
        assert ask_from(closed, ENDPOINT, 80) == "10.90.0.10"
        assert ask_from(closed, "10.90.0.11", 80, SOON) is None


@pytest.mark.parametrize("filters_bridges", ["0", "1"])
async def test_calls_take_no_place_in_the_hosts_connection_tracking(
    network: BridgeNetwork, endpoint: list[str], filters_bridges: str
) -> None:
    """However often a task calls, the table that all tasks share is as full as before."""
    if BRIDGE_NETFILTER.exists():
        BRIDGE_NETFILTER.write_text(filters_bridges)
    task = await network.attach("a", network_spec(10))
    before = TRACKED.read_text()
    for _ in range(20):
        assert ask_from(task, ENDPOINT, 80) == "10.90.0.10"
    assert TRACKED.read_text() == before


async def test_the_endpoint_opens_nothing_else(network: BridgeNetwork, endpoint: list[str]) -> None:
    """No other port, no datagrams and no ping, and the host's port 80 is as closed as ever."""
    task = await network.attach("a", network_spec(10))
    with tcp_server(None, 80), tcp_server(None, 81):
        assert ask_from(task, ENDPOINT, 81, SOON) is None
        assert ask_from(task, GATEWAY, 80, SOON) is None
    assert not run_inside(task, lambda: answers_ping(ENDPOINT))


async def test_a_host_that_has_the_address_itself_is_not_reached(network: BridgeNetwork, endpoint: list[str]) -> None:
    """As on an ECS container instance: the host's own endpoint is never a task's, however its frames are addressed."""
    task = await network.attach("a", network_spec(10))
    command("ip", "address", "add", f"{ENDPOINT}/32", "dev", "lo")
    with tcp_server(None, 80) as seen, udp_listener(None) as heard:
        assert ask_from(task, ENDPOINT, 80) == "10.90.0.10"
        run_inside(task, lambda: send_frame("0a:00:00:00:00:0a", "02:00:00:c0:ff:ee", "10.90.0.10", ENDPOINT))
        run_inside(task, lambda: send_frame("0a:00:00:00:00:0a", "02:01:00:c0:ff:ee", "10.90.0.10", "198.51.100.1"))
        assert is_silent(heard)
        assert seen == []
        assert ask(ENDPOINT, 80) == ENDPOINT, "and the host keeps it"


async def test_nobody_but_tasks_reaches_it(network: BridgeNetwork, host: HostNetwork, endpoint: list[str]) -> None:
    """Not processes of the host, nor other containers on it, nor the world, whatever routes they make."""
    await network.attach("a", network_spec(10))
    assert ask(ENDPOINT, 80, SOON) is None
    host.in_internet(lambda: command("ip", "route", "add", f"{ENDPOINT}/32", "via", "203.0.113.2"))
    assert host.in_internet(lambda: ask(ENDPOINT, 80, SOON)) is None
    with neighbour_container() as neighbour:
        assert ask_from(neighbour, ENDPOINT, 80, SOON) is None
    assert endpoint == []


async def test_the_tasks_own_port_80_is_free(network: BridgeNetwork, endpoint: list[str]) -> None:
    """A web server in the task takes port 80 of all its addresses, and the endpoint is there beside it."""
    task = await network.attach("a", network_spec(10))
    with tcp_server(task, 80) as seen:
        assert ask_from(task, ENDPOINT, 80) == "10.90.0.10"
        assert ask_from(task, "127.0.0.1", 80) == "127.0.0.1"
        assert seen == ["127.0.0.1"]


async def test_a_task_that_runs_on_finds_the_endpoint_of_the_next_server(host: HostNetwork, tmp_path: Path) -> None:
    """Opening the network again puts the endpoint where its tasks look for it."""
    first = BridgeNetwork("00c0ffee", tmp_path, CIDR, resolvers=(), pool_size=0)
    await first.open()
    await first.apply_security_groups(GROUPS)
    task = await first.attach("a", network_spec(10))
    held = run_inside(task, lambda: socket.create_connection((ENDPOINT, 80)))
    await first.close(remove=False)
    second = BridgeNetwork("00c0ffee", tmp_path, CIDR, resolvers=(), pool_size=0)
    await second.open()
    with held, answering(blocking(second)):
        assert ask_from(task, ENDPOINT, 80) == "10.90.0.10"
        await second.detach("a")
    await second.close(remove=True)


async def test_a_task_that_calls_without_end_is_cut_off_by_the_kernel(
    network: BridgeNetwork, endpoint: list[str]
) -> None:
    """Of a thousand connections at once hardly more than the burst arrive, and its neighbour is served meanwhile."""
    false = await network.attach("a", network_spec(10))
    other = await network.attach("b", network_spec(11))

    def flood() -> list[socket.socket]:
        opened = [socket.socket() for _ in range(1000)]
        for each in opened:
            each.setblocking(False)
            each.connect_ex((ENDPOINT, 80))
        return opened

    opened = run_inside(false, flood)
    assert ask_from(other, ENDPOINT, 80) == "10.90.0.11"
    for each in opened:
        each.close()
    assert 120 <= endpoint.count("10.90.0.10") <= 300


async def test_two_servers_have_an_endpoint_each(network: BridgeNetwork, endpoint: list[str], tmp_path: Path) -> None:
    """On one machine, at one address: a task reaches that of its own server."""
    other = BridgeNetwork("00c0ffef", tmp_path / "other", "10.91.0.0/16", resolvers=(), pool_size=0)
    await other.open()
    await other.apply_security_groups(GROUPS)
    spec = network_spec(10)
    values = {name: getattr(spec, name) for name in spec.__struct_fields__}
    stranger = await other.attach("a", type(spec)(**{**values, "address": "10.91.0.10", "gateway": "10.91.0.1"}))
    with answering(blocking(other)) as seen:
        assert ask_from(stranger, ENDPOINT, 80) == "10.91.0.10"
        assert ask_from(await network.attach("a", spec), ENDPOINT, 80) == "10.90.0.10"
        await other.detach("a")
    assert (seen, endpoint) == (["10.91.0.10"], ["10.90.0.10"])
    await other.close(remove=True)
