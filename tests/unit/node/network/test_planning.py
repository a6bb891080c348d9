"""The small pure parts: names, ranges, resolvers, the batches for the kernel."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.networks import network_spec
from tidegate.kernel.netlink import Link
from tidegate.node.network.forwarding import SWITCHED_ON, must_restore_forwarding
from tidegate.node.network.names import Names
from tidegate.node.network.network import NetworkFailure
from tidegate.node.network.ranges import pick_cidr
from tidegate.node.network.resolver import find_resolvers, resolver_lines
from tidegate.node.network.wiring import plan_inside


def test_a_task_gets_its_address_alone_and_the_gateway_for_all_else() -> None:
    """/32, so that neighbours are reached by way of the firewall."""
    batch = plan_inside(network_spec(10), 2, Names("00c0ffee"))
    assert [message.what for message in batch] == [
        "set eth0 up 0a:00:00:00:00:0a",
        "add address 10.90.0.10/32 to link 2",
        "add route 10.90.0.1/32 on link 2",
        "add route 0.0.0.0/0 via 10.90.0.1 on link 2",
        "add neighbour 10.90.0.1 02:00:00:c0:ff:ee on link 2",
        "add route 169.254.170.2/32 on link 2",
        "add neighbour 169.254.170.2 02:01:00:c0:ff:ee on link 2",
    ]


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32))
def test_names_fit_the_kernel_and_tell_servers_apart(instance: int, number: int) -> None:
    """At most 15 characters; everything carries the instance."""
    names = Names(f"{instance:08x}")
    assert len(names.bridge) <= 15
    assert len(names.port(number)) <= 15
    assert all(names.instance in name for name in (names.bridge, names.port(number), names.endpoint, names.table))
    for mac in (names.bridge_mac, names.endpoint_mac):
        assert int(mac[:2], 16) & 3 == 2, "a hardware address that is local and of one interface"
    assert names.bridge_mac != names.endpoint_mac


@pytest.mark.parametrize("instance", ["", "00C0FFEE", "00c0ffe", "00c0ffeeg", "../../xx"])
def test_an_instance_is_eight_hex_digits(instance: str) -> None:
    """Anything else would make names that collide or don't fit."""
    with pytest.raises(ValueError, match="not eight hex digits"):
        Names(instance)


@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 63), max_size=63))
def test_a_range_overlaps_nothing_that_is_taken(instance: int, used: set[int]) -> None:
    """As long as one is free it is found, within 10.64.0.0/10."""
    taken = [f"10.{64 + number}.128.0/17" for number in used]
    picked = ipaddress.ip_network(pick_cidr(f"{instance:08x}", taken))
    assert picked.subnet_of(ipaddress.ip_network("10.64.0.0/10"))
    assert picked.prefixlen == 16
    assert not any(picked.overlaps(ipaddress.ip_network(network)) for network in taken)


def test_addresses_and_ipv6_count_as_taken_and_as_nothing() -> None:
    """A resolver is a range of one; the start depends on the instance."""
    assert pick_cidr("00000000", []) == "10.64.0.0/16"
    assert pick_cidr("00000001", ["fd00::/8"]) == "10.65.0.0/16"
    assert pick_cidr("00000000", ["10.64.255.53", "10.65.0.1/24"]) == "10.66.0.0/16"


def test_no_range_left_is_said() -> None:
    """The remedy is to name one."""
    with pytest.raises(NetworkFailure, match="cannot find a range for tasks"):
        pick_cidr("00000000", ["10.0.0.0/8"])


@pytest.mark.parametrize(
    "configuration, expected",
    [
        ("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", ("192.0.2.1", "192.0.2.2")),
        ("# nameserver 192.0.2.9\nsearch lan\nnameserver\nnameserver 192.0.2.1 # x\n", ("192.0.2.1",)),
        ("nameserver 127.0.0.53\n", ("198.51.100.53",)),
        ("nameserver ::1\nnameserver fe80::1%eth0\nnameserver nonsense\n", ("198.51.100.53",)),
        ("nameserver 127.0.0.1\nnameserver 192.0.2.1\n", ("192.0.2.1",)),
        ("".join(f"nameserver 192.0.2.{n}\n" for n in (1, 1, 2, 3, 4)), ("192.0.2.1", "192.0.2.2", "192.0.2.3")),
        (None, ("198.51.100.53",)),
    ],
)
def test_tasks_ask_resolvers_that_they_can_reach(
    tmp_path: Path, configuration: str | None, expected: tuple[str, ...]
) -> None:
    """The host's own as they are; what a loopback stub forwards to, where there is nothing else."""
    if configuration is not None:
        (tmp_path / "resolv.conf").write_text(configuration)
    (tmp_path / "upstreams").write_text("nameserver 198.51.100.53\n")
    assert find_resolvers(tmp_path / "resolv.conf", tmp_path / "upstreams") == expected


def test_without_resolvers_there_are_no_lines(tmp_path: Path) -> None:
    """A host that resolves nothing gives nothing to its tasks."""
    assert find_resolvers(tmp_path / "a", tmp_path / "b") == ()
    assert resolver_lines(()) == []
    assert resolver_lines(("192.0.2.1",)) == ["nameserver 192.0.2.1"]


def test_forwarding_is_switched_off_by_the_last_of_those_who_know() -> None:
    """Only with the mark, and only when no other bridge of ours is there; others' bridges don't count."""
    mine, marked = Link(1, "tg-1", "bridge", 0, 1500, ""), Link(1, "tg-1", "bridge", 0, 1500, SWITCHED_ON)
    other, foreign = Link(2, "tg-2", "bridge", 0, 1500, SWITCHED_ON), Link(3, "docker0", "bridge", 0, 1500, "")
    assert must_restore_forwarding([marked, foreign], "tg-1")
    assert not must_restore_forwarding([marked, other], "tg-1")
    assert not must_restore_forwarding([mine, foreign], "tg-1")
    assert not must_restore_forwarding([foreign], "tg-1")
