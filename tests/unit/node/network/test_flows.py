"""Connections of addresses that were given back: the next holder finds none of them."""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.networks import CIDR, GROUPS, HostNetwork, eventually, network_spec, run_inside, tcp_server
from tidegate.kernel.conntrack import Conntrack, Flow, count_flows
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.flows import FlowSweeper

pytestmark = [pytest.mark.anyio, pytest.mark.host]
FIRST, SECOND = "10.90.0.10", "10.90.0.11"


def flows_of(address: str) -> list[Flow]:
    with closing(Conntrack()) as table:
        return list(table.flows_of(address))


def connect(namespace: Path, address: str) -> socket.socket:
    """Closing it asks nobody: a socket that waits for an answer would hold its namespace."""
    found = run_inside(namespace, lambda: socket.create_connection((address, 80), timeout=2))
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return found


async def test_what_a_task_leaves_is_forgotten(network: BridgeNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever began it; connections of others are kept."""
    monkeypatch.setattr("tidegate.node.network.flows.BATCH_SECONDS", 0.05)
    first, second = await network.attach("a", network_spec(10)), await network.attach("b", network_spec(11))
    third = await network.attach("c", network_spec(12))
    with tcp_server(second, 80), connect(first, SECOND), connect(third, SECOND):
        assert len(flows_of(FIRST)) >= 1
        assert len(flows_of(SECOND)) >= 2
        await network.detach("a")
        assert eventually(lambda: not flows_of(FIRST))
        assert len(flows_of(SECOND)) >= 1
    await network.detach("b")
    assert eventually(lambda: not flows_of(SECOND))


async def test_who_gets_an_address_inherits_nothing(network: BridgeNetwork) -> None:
    """Also when the address was given back a moment ago: attaching waits."""
    first, second = await network.attach("a", network_spec(10)), await network.attach("b", network_spec(11))
    with tcp_server(second, 80), connect(first, SECOND):
        await network.detach("a")
        await network.attach("c", network_spec(10, "sg-other"))
        assert flows_of(FIRST) == []


async def test_a_restart_forgets_what_was_not_come_to(host: HostNetwork, tmp_path: Path) -> None:
    """What an address had that nobody holds any more; those of tasks that are there go on."""
    network = BridgeNetwork("0a0b0c0d", tmp_path, CIDR, pool_size=1, resolvers=())
    await network.open()
    await network.apply_security_groups(GROUPS)
    first, second = await network.attach("a", network_spec(10)), await network.attach("b", network_spec(11))
    third = await network.attach("c", network_spec(12))
    with tcp_server(second, 80), connect(first, SECOND), connect(third, SECOND):
        network._wiring._flows.close()  # as if the process had died before it came to it
        await network.detach("a")
        await network.close(remove=False)
        assert len(flows_of(FIRST)) >= 1
        again = BridgeNetwork("0a0b0c0d", tmp_path, CIDR, pool_size=1, resolvers=())
        await again.open()
        assert flows_of(FIRST) == []
        assert len(flows_of(SECOND)) >= 1
    for task in ("b", "c"):
        await again.detach(task)
    await again.close(remove=True)


async def test_many_addresses_at_once(network: BridgeNetwork) -> None:
    """The table is walked once for all; closing waits for what is pending."""
    tasks = [await network.attach(f"t{n}", network_spec(20 + n)) for n in range(6)]
    with tcp_server(tasks[0], 80):
        for task in tasks[1:]:
            connect(task, "10.90.0.20").close()
    assert count_flows() >= 5
    for number in range(6):
        await network.detach(f"t{number}")
    network._wiring._flows.close()
    assert [flows_of(f"10.90.0.{20 + n}") for n in range(6)] == [[]] * 6


def test_without_the_kernels_interface_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and tasks run all the same."""

    def refuse() -> Conntrack:
        raise OSError(93, "Protocol not supported")

    monkeypatch.setattr("tidegate.node.network.flows.Conntrack", refuse)
    sweeper = FlowSweeper(CIDR)
    sweeper.open(set())
    sweeper.forget(FIRST)
    sweeper.ensure_forgotten(FIRST)
    sweeper.close()
