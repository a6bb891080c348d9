"""Addresses for tasks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.account import Subnet
from tidegate.model.status import Interface
from tidegate.reconcile.addresses import Addresses, AddressesExhausted, mac_of


def subnet(cidr: str = "10.64.0.0/28") -> Subnet:
    return Subnet(id="subnet-1", vpc="vpc-1", cidr=cidr, availability_zone="us-east-1a")


def new(addresses: Addresses, cidr: str = "10.64.0.0/28") -> Interface:
    return addresses.new_interface(subnet(cidr), ("sg-1",), "an-attachment")


def test_first_four_and_last_are_reserved():
    """A /28 has 16 addresses, of which AWS gives out eleven."""
    addresses = Addresses()
    given_out = [new(addresses).address for _ in range(11)]

    assert given_out == [f"10.64.0.{n}" for n in range(4, 15)]
    with pytest.raises(AddressesExhausted, match="subnet-1"):
        new(addresses)


def test_an_address_rests():
    """An address that was given back is not the next one to be given out."""
    addresses = Addresses()
    first = new(addresses)
    addresses.give_back(first)

    assert new(addresses).address != first.address


def test_interface_is_complete():
    """The gateway is the subnet's .1; the MAC is locally administered and follows from the address."""
    interface = new(Addresses())

    assert (interface.gateway, interface.prefix_length, interface.mac) == ("10.64.0.1", 28, "02:74:0a:40:00:04")
    assert mac_of(IPv4Address("10.64.0.4")) == interface.mac
    assert len(interface.id) == len("eni-") + 17


@given(st.lists(st.booleans(), max_size=60))
def test_never_twice(moves: list[bool]):
    """Whatever is taken and given back: no two interfaces have the same address, and all lie in the subnet."""
    addresses, held = Addresses(), []
    for takes in moves:
        if takes and len(held) < 11:
            held.append(new(addresses))
        elif not takes and held:
            addresses.give_back(held.pop(0))
        assert len({i.address for i in held}) == len(held)
        assert all(IPv4Address(i.address) in IPv4Network("10.64.0.0/28") for i in held)


def test_taken_at_start():
    """Addresses of tasks that were there before are not given out again."""
    before = new(Addresses())
    addresses = Addresses()
    addresses.take(before)

    assert before.address not in [new(addresses).address for _ in range(10)]
