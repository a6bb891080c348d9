"""Who reaches whom: real namespaces, real packets."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path

import pytest

from fixtures.networks import (
    GATEWAY,
    GROUPS,
    INTERNET,
    OTHER,
    UPLINK,
    HostNetwork,
    ask,
    ask_from,
    command,
    neighbour_container,
    network_spec,
    run_inside,
    tcp_server,
)
from fixtures.packets import answers_ping, is_silent, send_arp_claim, send_frame, send_udp, udp_listener
from tidegate.model.spec import Rule, SecurityGroupSpec
from tidegate.node.network.bridge import BridgeNetwork

pytestmark = [pytest.mark.anyio, pytest.mark.host]

SOON = 0.25
"""Seconds to wait where nothing should answer."""


async def test_members_of_a_group_that_allows_itself_reach_each_other(network: BridgeNetwork) -> None:
    """The default group's own rule: traffic from members to members, seen with the sender's own address."""
    first, second = await network.attach("a", network_spec(10)), await network.attach("b", network_spec(11))
    with tcp_server(second, 80):
        assert ask_from(first, "10.90.0.11", 80) == "10.90.0.10"


async def test_tasks_of_different_groups_do_not_reach_each_other(network: BridgeNetwork) -> None:
    """What no group allows is dropped, in both directions."""
    first = await network.attach("a", network_spec(10))
    second = await network.attach("b", network_spec(11, "sg-other"))
    with tcp_server(first, 80), tcp_server(second, 80):
        assert ask_from(first, "10.90.0.11", 80, SOON) is None
        assert ask_from(second, "10.90.0.10", 80, SOON) is None


async def test_a_rule_that_is_added_binds_at_once_and_one_that_is_revoked_stops(network: BridgeNetwork) -> None:
    """Rules bind without attaching again; revoking blocks what is new and leaves what runs."""
    first = await network.attach("a", network_spec(10))
    second = await network.attach("b", network_spec(11, "sg-other"))
    allowed = Rule(protocol="tcp", from_port=80, to_port=90, group="sg-default")
    with tcp_server(second, 80), tcp_server(second, 91):
        other = GROUPS["sg-other"]
        opened = SecurityGroupSpec(id=other.id, ingress=(allowed,), egress=other.egress)
        await network.apply_security_groups({**GROUPS, "sg-other": opened})
        assert ask_from(first, "10.90.0.11", 80) == "10.90.0.10"
        assert ask_from(first, "10.90.0.11", 91, SOON) is None
        running = run_inside(first, lambda: socket.create_connection(("10.90.0.11", 80)))
        await network.apply_security_groups(GROUPS)
        with running:
            assert running.recv(100) == b"10.90.0.10"
        assert ask_from(first, "10.90.0.11", 80, SOON) is None


async def test_egress_rules_bind(network: BridgeNetwork, host: HostNetwork) -> None:
    """A group without egress rules lets its members begin nothing, and a range lets them reach that range."""
    closed = await network.attach("a", network_spec(10, "sg-closed"))
    with tcp_server(host.internet, 80):
        assert ask_from(closed, INTERNET, 80, SOON) is None
        rule = Rule(protocol="tcp", from_port=80, to_port=80, cidr=f"{INTERNET}/32")
        await network.apply_security_groups({"sg-closed": SecurityGroupSpec(id="sg-closed", egress=(rule,))})
        assert ask_from(closed, INTERNET, 80) == UPLINK


async def test_a_task_has_what_any_one_of_its_groups_allows(network: BridgeNetwork) -> None:
    """Permissions of several groups add up."""
    first = await network.attach("a", network_spec(10))
    both = await network.attach("b", network_spec(11, "sg-other", "sg-default"))
    with tcp_server(first, 80), tcp_server(both, 80):
        assert ask_from(first, "10.90.0.11", 80) == "10.90.0.10"
        assert ask_from(both, "10.90.0.10", 80) == "10.90.0.11"


async def test_tasks_reach_the_world_under_the_hosts_address(network: BridgeNetwork, host: HostNetwork) -> None:
    """Egress is translated."""
    task = await network.attach("a", network_spec(10))
    with tcp_server(host.internet, 80) as seen:
        assert ask_from(task, INTERNET, 80) == UPLINK
        assert seen == [UPLINK]


async def test_no_service_of_the_host_is_reachable(network: BridgeNetwork) -> None:
    """Not at the gateway's address, nor at any other that the host has; the gateway answers a ping."""
    task = await network.attach("a", network_spec(10))
    with tcp_server(None, 22):
        for address in (GATEWAY, UPLINK, OTHER):
            assert ask_from(task, address, 22, SOON) is None
    assert run_inside(task, lambda: answers_ping(GATEWAY))


async def test_loopback_and_link_local_addresses_lead_nowhere(network: BridgeNetwork, host: HostNetwork) -> None:
    """The metadata address of a cloud is not reached, though the host has a way to it; nor is the host's loopback."""
    task = await network.attach("a", network_spec(10))
    host.in_internet(lambda: command("ip", "address", "add", "169.254.169.254/32", "dev", "lo"))
    command("ip", "route", "add", "169.254.169.254/32", "via", INTERNET)
    with tcp_server(host.internet, 80):
        assert ask("169.254.169.254", 80) is not None
        assert ask_from(task, "169.254.169.254", 80, SOON) is None
    with udp_listener(None) as heard:
        run_inside(task, lambda: send_frame("0a:00:00:00:00:0a", "02:00:00:c0:ff:ee", "10.90.0.10", "127.0.0.1"))
        assert is_silent(heard)


async def test_other_containers_networks_are_out_of_reach(network: BridgeNetwork) -> None:
    """A bridge of somebody else (docker0, say) is not the world, whatever the egress rules say."""
    task = await network.attach("a", network_spec(10))
    with neighbour_container() as neighbour, tcp_server(neighbour, 80):
        assert ask("198.51.100.2", 80) is not None
        assert ask_from(task, "198.51.100.2", 80, SOON) is None


async def test_the_host_reaches_every_task(network: BridgeNetwork) -> None:
    """Health checks and forwarders of the host need no rule."""
    task = await network.attach("a", network_spec(10, "sg-other"))
    with tcp_server(task, 80):
        assert ask("10.90.0.10", 80) == GATEWAY


async def test_a_configured_resolver_is_reachable_on_port_53_alone(host: HostNetwork, tmp_path: Path) -> None:
    """A name server on the host itself, and one beyond, whatever the egress rules say."""
    network = BridgeNetwork("00c0ffee", tmp_path, "10.90.0.0/16", resolvers=(UPLINK, INTERNET), pool_size=0)
    await network.open()
    try:
        task = await network.attach("a", network_spec(10, "sg-closed"))
        with tcp_server(None, 53), tcp_server(None, 54), tcp_server(host.internet, 53), tcp_server(host.internet, 54):
            assert ask_from(task, UPLINK, 53) == "10.90.0.10"
            assert ask_from(task, INTERNET, 53) == UPLINK
            assert ask_from(task, UPLINK, 54, SOON) is None
            assert ask_from(task, INTERNET, 54, SOON) is None
        await network.detach("a")
    finally:
        await network.close(remove=True)


async def test_a_false_ip_address_gets_nowhere(network: BridgeNetwork) -> None:
    """A task that sends under the address of one that is allowed, or any other, is heard by nobody."""
    false = await network.attach("a", network_spec(10, "sg-other"))
    victim = await network.attach("b", network_spec(11))
    friend = await network.attach("c", network_spec(12))
    with udp_listener(victim) as heard:
        for source in ("10.90.0.12", "10.90.0.10", "10.90.0.99", "127.0.0.1", GATEWAY, INTERNET):
            run_inside(false, partial(send_udp, source, "10.90.0.11"))
        run_inside(friend, lambda: send_udp("10.90.0.12", "10.90.0.11"))
        assert heard.recv(10) == b"10.90.0.12"
        assert is_silent(heard)


async def test_a_false_hardware_address_gets_nowhere(network: BridgeNetwork) -> None:
    """Nothing sent under another hardware address is heard, nor does it draw a victim's traffic."""
    false = await network.attach("a", network_spec(10))
    victim = await network.attach("b", network_spec(11))
    with udp_listener(victim) as heard, tcp_server(victim, 80), tcp_server(false, 80) as drawn:
        run_inside(false, lambda: send_udp("10.90.0.10", "10.90.0.11"))
        assert heard.recv(10) == b"10.90.0.10"
        for mac in ("0a:00:00:00:00:0b", "0a:00:00:00:00:63"):
            run_inside(false, partial(send_frame, mac, "02:00:00:c0:ff:ee", "10.90.0.10", "10.90.0.11"))
        run_inside(false, lambda: send_frame("0a:00:00:00:00:0a", "02:00:00:c0:ff:ee", "10.90.0.10", "10.90.0.11"))
        assert heard.recv(10) == b"10.90.0.10"
        assert is_silent(heard)
        assert ask("10.90.0.11", 80) == GATEWAY
        assert drawn == []


async def test_a_frame_sent_past_the_gateway_does_not_arrive(network: BridgeNetwork) -> None:
    """Ports of the bridge are isolated: what would evade the firewall by going straight to a neighbour is dropped."""
    first = await network.attach("a", network_spec(10))
    second = await network.attach("b", network_spec(11))
    with udp_listener(second) as heard:
        run_inside(first, lambda: send_frame("0a:00:00:00:00:0a", "0a:00:00:00:00:0b", "10.90.0.10", "10.90.0.11"))
        assert is_silent(heard)
        run_inside(first, lambda: send_frame("0a:00:00:00:00:0a", "02:00:00:c0:ff:ee", "10.90.0.10", "10.90.0.11"))
        assert heard.recv(10) == b"10.90.0.10"


async def test_a_task_can_not_claim_an_address_by_arp(network: BridgeNetwork) -> None:
    """A gratuitous ARP for another's address changes nothing for the host."""
    false = await network.attach("a", network_spec(10))
    victim = await network.attach("b", network_spec(11))
    with tcp_server(victim, 80), tcp_server(false, 80, "0.0.0.0") as drawn:
        run_inside(false, lambda: send_arp_claim("0a:00:00:00:00:0a", "10.90.0.11"))
        assert ask("10.90.0.11", 80) == GATEWAY
        assert drawn == []


async def test_two_servers_run_side_by_side(network: BridgeNetwork, tmp_path: Path) -> None:
    """Each has its own range; neither's tasks reach the other's; closing one leaves the other as it was."""
    other = BridgeNetwork("00c0ffef", tmp_path / "other", "10.91.0.0/16", resolvers=(), pool_size=0)
    await other.open()
    await other.apply_security_groups(GROUPS)
    first, second = await network.attach("a", network_spec(10)), await network.attach("b", network_spec(11))
    spec = network_spec(10)
    values = {name: getattr(spec, name) for name in spec.__struct_fields__}
    stranger = await other.attach("a", type(spec)(**{**values, "address": "10.91.0.10", "gateway": "10.91.0.1"}))
    with tcp_server(stranger, 80), tcp_server(second, 80):
        assert ask("10.91.0.10", 80) == "10.91.0.1"
        assert ask_from(first, "10.91.0.10", 80, SOON) is None
        assert ask_from(stranger, "10.90.0.11", 80, SOON) is None
        await other.detach("a")
        await other.close(remove=True)
        assert ask_from(first, "10.90.0.11", 80) == "10.90.0.10"
