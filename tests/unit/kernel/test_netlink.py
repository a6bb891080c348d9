"""rtnetlink: what is asked is what the kernel then has; what goes wrong is told in words."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from fixtures.networks import OTHER, UPLINK, command, host_network
from tidegate.kernel import links
from tidegate.kernel.netlink import Netlink, Route, attribute, attributes


def test_attributes_are_padded_and_read_back() -> None:
    """Lengths that are no multiple of four, and flags in the type, make no difference."""
    data = attribute(3, b"eth0\0") + attribute(0x8012, attribute(1, b"veth\0")) + attribute(4, b"\1\2\3\4")
    assert len(data) % 4 == 0
    assert attributes(data) == {3: b"eth0\0", 0x12: attribute(1, b"veth\0"), 4: b"\1\2\3\4"}


@pytest.mark.parametrize("rest", [b"\1", b"\3\0\1\0", b"\xff\xff\1\0abcd"])
def test_attributes_that_are_cut_short_end_the_reading(rest: bytes) -> None:
    """A length that can't be right is never followed."""
    assert attributes(attribute(1, b"abcd") + rest) == {1: b"abcd"}


def test_a_request_says_what_it_does() -> None:
    """The words are what errors and operators get."""
    batch = [
        links.add_bridge("b0", "02:00:00:00:00:01", 1500),
        links.add_veth("v0", "eth0", 5, 7, 1500),
        links.isolate_port("v0"),
        links.set_up("v0", "02:00:00:00:00:02"),
        links.add_forwarding(9, "02:00:00:00:00:02"),
        links.remove_neighbour(7, "10.0.0.2"),
    ]
    assert [message.what for message in batch] == [
        "add bridge b0 02:00:00:00:00:01 mtu 1500",
        "add veth v0 to eth0 mtu 1500",
        "isolate port v0",
        "set v0 up 02:00:00:00:00:02",
        "forward 02:00:00:00:00:02 to port 9",
        "remove neighbour 10.0.0.2 on link 7",
    ]


@pytest.fixture
def netlink() -> Iterator[Netlink]:
    """A socket on a host of one's own."""
    with host_network():
        found = Netlink()
        try:
            yield found
        finally:
            found.close()


@pytest.mark.host
def test_what_is_made_is_found(netlink: Netlink) -> None:
    """A bridge with its kind, size, alias and hardware address; gone when removed, twice if need be."""
    netlink.run([links.add_bridge("b0", "02:00:00:00:00:01", 1280), links.set_alias("b0", "mine"), links.set_up("b0")])
    found = netlink.find_link("b0")
    assert found is not None
    assert (found.name, found.kind, found.mtu, found.alias, found.master) == ("b0", "bridge", 1280, "mine", 0)
    assert found in netlink.links()
    assert "02:00:00:00:00:01" in command("ip", "link", "show", "b0")
    netlink.run([links.remove_link("b0")])
    netlink.run([links.remove_link("b0")])
    assert netlink.find_link("b0") is None


@pytest.mark.host
def test_a_port_is_closed_to_its_neighbours(netlink: Netlink) -> None:
    """Isolated, not learning, not flooded, without an IPv6 address of its own."""
    netlink.run([links.add_bridge("b0", "02:00:00:00:00:01", 1500), links.set_up("b0")])
    bridge = netlink.find_link("b0")
    assert bridge is not None
    with open("/proc/thread-self/ns/net", "rb") as here:
        batch = [links.add_veth("v0", "v1", here.fileno(), bridge.index, 1500), links.isolate_port("v0")]
        netlink.run([*batch, links.set_up("v0"), links.set_up("v1")])
    shown = command("ip", "-d", "link", "show", "v0")
    for setting in ("isolated on", "learning off", "flood off", "mcast_flood off", "bcast_flood off", "master b0"):
        assert setting in shown
    assert "inet6" not in command("ip", "address", "show", "v0")
    port = netlink.find_link("v0")
    assert port is not None
    assert (port.kind, port.master) == ("veth", bridge.index)


@pytest.mark.host
def test_addresses_routes_and_neighbours_are_listed(netlink: Netlink) -> None:
    """With their prefix lengths; the default route is 0.0.0.0/0; routes to the host itself are left out."""
    wan = netlink.find_link("wan0")
    assert wan is not None
    assert {(wan.index, f"{UPLINK}/24")} <= set(netlink.addresses())
    assert f"{OTHER}/24" in [address for _, address in netlink.addresses()]
    routes = netlink.routes()
    assert Route("0.0.0.0/0", wan.index) in routes
    assert Route("203.0.113.0/24", wan.index) in routes
    assert not any(route.network.endswith("/32") for route in routes)
    netlink.run([links.add_neighbour(wan.index, "203.0.113.9", "02:00:00:00:00:09")])
    assert netlink.neighbours(wan.index) == ["203.0.113.9"]
    netlink.run([links.remove_neighbour(wan.index, "203.0.113.9"), links.remove_neighbour(wan.index, "203.0.113.9")])
    assert netlink.neighbours(wan.index) == []


@pytest.mark.host
def test_a_failure_is_told_and_the_rest_of_the_batch_is_done(netlink: Netlink) -> None:
    """The first failure is raised in words; the socket is in step for what comes next."""
    with pytest.raises(OSError, match="cannot set nothing up: No such device"):
        netlink.run([links.set_up("nothing"), links.add_bridge("b0", "02:00:00:00:00:01", 1500), links.set_up("none")])
    assert netlink.find_link("b0") is not None
    with pytest.raises(FileExistsError, match="cannot add bridge b0"):
        netlink.run([links.add_bridge("b0", "02:00:00:00:00:01", 1500)])
    netlink.run([])


@pytest.mark.host
def test_many_messages_go_in_one_batch(netlink: Netlink) -> None:
    """More answers than one read holds."""
    wan = netlink.find_link("wan0")
    assert wan is not None
    addresses = [socket.inet_ntoa((0xC6120000 + number).to_bytes(4, "big")) for number in range(500)]
    netlink.run([links.add_neighbour(wan.index, address, "02:00:00:00:00:09") for address in addresses])
    assert sorted(netlink.neighbours(wan.index)) == sorted(addresses)
