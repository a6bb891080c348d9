"""Ports of the host that lead to a task: real packets."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fixtures.networks import (
    GATEWAY,
    INTERNET,
    OTHER,
    UPLINK,
    HostNetwork,
    ask,
    ask_from,
    network_spec,
    run_inside,
    tcp_server,
)
from fixtures.packets import UDP_PORT, udp_listener
from tidegate.model.spec import PublishedPort
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.network import NetworkFailure, PortInUse

pytestmark = [pytest.mark.anyio, pytest.mark.host]

SOON = 0.25


async def test_a_port_on_loopback_leads_to_the_task_and_only_the_host_gets_there(
    network: BridgeNetwork, host: HostNetwork
) -> None:
    """127.0.0.1 by default: not at the host's other addresses, not for others, and gone after detach."""
    port = PublishedPort(host_port=8080, container_port=80)
    task = await network.attach("a", network_spec(10, "sg-other", published=(port,)))
    with tcp_server(task, 80):
        assert ask("127.0.0.1", 8080) == GATEWAY
        assert ask(UPLINK, 8080) is None
        assert ask_from(host.internet, UPLINK, 8080, SOON) is None
        await network.detach("a")
        assert ask("127.0.0.1", 8080, SOON) is None


async def test_a_port_everywhere_is_for_everybody_but_tasks(network: BridgeNetwork, host: HostNetwork) -> None:
    """0.0.0.0: at each of the host's addresses, for the world too, whatever the task's groups say."""
    port = PublishedPort(host_port=8080, container_port=80, host_address="0.0.0.0")
    task = await network.attach("a", network_spec(10, "sg-other", published=(port,)))
    other = await network.attach("b", network_spec(11))
    with tcp_server(task, 80), tcp_server(task, 81):
        for address in ("127.0.0.1", UPLINK, OTHER, GATEWAY):
            assert ask(address, 8080) is not None
        assert ask_from(host.internet, UPLINK, 8080) == INTERNET
        assert ask_from(host.internet, UPLINK, 81, SOON) is None
        assert ask_from(other, UPLINK, 8080, SOON) is None
        assert ask_from(other, GATEWAY, 8080, SOON) is None


async def test_a_port_at_one_address_is_at_no_other(network: BridgeNetwork, host: HostNetwork) -> None:
    """host_address names one address of the host, and is checked to be one."""
    port = PublishedPort(host_port=8080, container_port=80, host_address=UPLINK)
    task = await network.attach("a", network_spec(10, published=(port,)))
    with tcp_server(task, 80):
        assert ask_from(host.internet, UPLINK, 8080) == INTERNET
        assert ask("127.0.0.1", 8080) is None
    for address in (INTERNET, "nonsense; drop"):
        wrong = PublishedPort(host_port=8081, container_port=80, host_address=address)
        with pytest.raises(NetworkFailure, match="cannot publish"):
            await network.attach("b", network_spec(11, published=(wrong,)))


async def test_udp_is_published_as_well(network: BridgeNetwork) -> None:
    """A datagram gets there, and its answer back, by loopback."""
    port = PublishedPort(host_port=5353, container_port=UDP_PORT, protocol="udp")
    task = await network.attach("a", network_spec(10, published=(port,)))
    with udp_listener(task) as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect(("127.0.0.1", 5353))
        client.send(b"question")
        question, peer = listener.recvfrom(100)
        listener.sendto(question + b"?", peer)
        assert client.recv(100) == b"question?"


async def test_a_port_conflicts_with_the_same_port_everywhere(network: BridgeNetwork) -> None:
    """0.0.0.0 covers each address."""
    first = PublishedPort(host_port=8080, container_port=80)
    second = PublishedPort(host_port=8080, container_port=80, host_address="0.0.0.0")
    await network.attach("a", network_spec(10, published=(first,)))
    with pytest.raises(PortInUse, match=r"cannot publish 0\.0\.0\.0:8080/tcp: the port is in use"):
        await network.attach("b", network_spec(11, published=(second,)))


async def test_two_ports_of_one_task_may_not_be_the_same(network: BridgeNetwork) -> None:
    """The conflict is found within a specification too, and what was reserved is let go."""
    ports = tuple(PublishedPort(host_port=8080, container_port=number) for number in (80, 81))
    with pytest.raises(PortInUse):
        await network.attach("a", network_spec(10, published=ports))
    await network.attach("a", network_spec(10, published=ports[:1]))


async def test_containers_may_listen_on_low_ports_of_their_own(network: BridgeNetwork) -> None:
    """The port numbers of a task are its own, the same as another's, and need no privilege."""
    paths = [await network.attach(task, network_spec(10 + at)) for at, task in enumerate("ab")]
    for path in paths:
        assert run_inside(path, Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text) == "0\n"
    with tcp_server(paths[0], 80), tcp_server(paths[1], 80):
        assert ask("10.90.0.10", 80) == ask("10.90.0.11", 80) == GATEWAY
