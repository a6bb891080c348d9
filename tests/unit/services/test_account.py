"""The account as it is at first start."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from fakes.services import Services
from tidegate.model.account import AccessKey, Account, SecurityGroup, Subnet, Vpc
from tidegate.model.spec import Rule
from tidegate.services.account import access_key_context, ensure_account, ensure_root_key

pytestmark = pytest.mark.anyio


class Sealed:
    """A sealer that shows what it was given."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        return b"sealed:" + context + b":" + plaintext


async def test_network() -> None:
    """A default VPC with a subnet in each of three zones, which do not overlap, and the default group."""
    services = await Services().open()
    (vpc,) = services.store.select(Vpc)
    assert (vpc.cidr, vpc.is_default) == ("10.64.0.0/16", True)
    subnets = list(services.store.select(Subnet))
    assert [(s.cidr, s.availability_zone) for s in subnets] == [
        ("10.64.0.0/20", "eu-north-1a"),
        ("10.64.16.0/20", "eu-north-1b"),
        ("10.64.32.0/20", "eu-north-1c"),
    ]
    assert all(s.vpc == vpc.id and s.is_default for s in subnets)
    (group,) = services.store.select(SecurityGroup)
    assert (group.name, group.vpc, group.description) == ("default", vpc.id, "default VPC security group")
    assert group.rules.ingress == (Rule(protocol="-1", group=group.id),)
    assert group.rules.egress == (Rule(protocol="-1", cidr="0.0.0.0/0"),)


async def test_second_start_changes_nothing() -> None:
    """The account is made once; what is there is returned."""
    services = await Services().open()
    before = services.vpc, services.subnets
    again = await ensure_account(services.store, "999999999999", "us-east-1", "10.0.0.0/16", services.now)
    assert (again.id, again.region) == ("123456789012", "eu-north-1")
    assert (services.vpc, services.subnets) == before
    assert len(list(services.store.select(Account))) == 1


@pytest.mark.parametrize("cidr", ["10.0.0.0/25", "10.0.0.1/16", "nonsense"])
async def test_ranges_refused(cidr: str) -> None:
    """A range must be well-formed and hold three subnets; nothing is made otherwise."""
    services = Services()
    with pytest.raises(ValueError):
        await ensure_account(services.store, "123456789012", "eu-north-1", cidr, services.now)
    assert list(services.store.select(Account)) == []


async def test_smallest_range() -> None:
    """A /24 makes /28 subnets, the smallest that EC2 has."""
    services = Services()
    await ensure_account(services.store, "123456789012", "eu-north-1", "10.0.0.0/24", services.now)
    assert {IPv4Network(s.cidr).prefixlen for s in services.store.select(Subnet)} == {28}


async def test_root_key() -> None:
    """The root's key is given out once, looks as AWS's do, and its secret is stored sealed."""
    services = await Services().open()
    made = await ensure_root_key(services.store, Sealed(), services.now)
    assert made is not None
    key_id, secret = made
    assert len(key_id) == 20
    assert key_id.startswith("AKIA")
    assert len(secret) == 40
    record = services.store.get(AccessKey, key_id)
    assert record is not None
    assert record.principal == "arn:aws:iam::123456789012:root"
    assert record.sealed_secret == b"sealed:" + access_key_context(key_id) + b":" + secret.encode()
    assert await ensure_root_key(services.store, Sealed(), services.now) is None


async def test_root_key_needs_an_account() -> None:
    """Without an account there is no root."""
    with pytest.raises(ValueError, match="there is no account yet"):
        await ensure_root_key(Services().store, Sealed(), lambda: 0.0)
