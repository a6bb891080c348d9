"""The account as it is at first start: its identity, its default network, its root key."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Protocol

from tidegate.model.account import AccessKey, Account, Subnet, Vpc
from tidegate.model.arn import partition
from tidegate.model.sealed import sealed_context
from tidegate.services.ec2.security_groups import DEFAULT_GROUP, new_group, new_id
from tidegate.store.store import Put, Store

ZONES = "abc"
SUBNET_BITS = 4
"""A subnet's prefix is this much longer than its VPC's: three /20 out of a /16."""
LONGEST_VPC_PREFIX = 24
"""Of which a subnet is a /28, the smallest that EC2 has."""

_KEY_CHARACTERS = string.ascii_uppercase + "234567"
_SECRET_CHARACTERS = string.ascii_letters + string.digits


class Sealer(Protocol):
    """Encrypts what must not be readable at rest. context: bytes that the sealed text is bound to."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...


async def ensure_account(
    store: Store, account_id: str, region: str, vpc_cidr: str, now: Callable[[], float]
) -> Account:
    """
    The account, made with its default VPC, subnets and security group if there is none yet.

    An account that is there is returned as it is: compare its id and region with what was asked for. vpc_cidr is the
    server's own address range, e.g. 10.64.0.0/16. Raises ValueError if it is malformed or smaller than a /24.
    """
    found = store.get(Account, "account")
    if found is not None:
        return found
    network = IPv4Network(vpc_cidr)
    if network.prefixlen > LONGEST_VPC_PREFIX:
        raise ValueError(f"cannot make a VPC of {vpc_cidr}: it must be a /{LONGEST_VPC_PREFIX} or larger")
    account = Account(id=account_id, region=region)
    vpc = Vpc(id=new_id("vpc"), cidr=str(network), is_default=True)
    subnets = [
        Subnet(id=new_id("subnet"), vpc=vpc.id, cidr=str(part), availability_zone=f"{region}{zone}", is_default=True)
        for zone, part in zip(ZONES, network.subnets(prefixlen_diff=SUBNET_BITS), strict=False)
    ]
    group = new_group(vpc.id, DEFAULT_GROUP, "default VPC security group", ingress_from_itself=True)
    await store.commit(Put(account), Put(vpc), *(Put(subnet) for subnet in subnets), Put(group))
    return account


async def ensure_root_key(store: Store, sealer: Sealer, now: Callable[[], float]) -> tuple[str, str] | None:
    """
    Make the root's access key if the account has none: (id, secret), which is shown once and never again.

    None if there is one. The account must be there. The secret is sealed with the context `access_key_context(id)`.
    """
    account = store.get(Account, "account")
    if account is None:
        raise ValueError("cannot make a root key: there is no account yet")
    principal = f"arn:{partition(account.region)}:iam::{account.id}:root"
    if any(key.principal == principal for key in store.select(AccessKey)):
        return None
    key_id = "AKIA" + _random(_KEY_CHARACTERS, 16)
    secret = _random(_SECRET_CHARACTERS, 40)
    sealed = sealer.seal(secret.encode(), access_key_context(key_id))
    await store.commit(Put(AccessKey(id=key_id, principal=principal, sealed_secret=sealed, created_at=now())))
    return key_id, secret


def access_key_context(key_id: str) -> bytes:
    """What the secret of an access key is bound to, so that sealed secrets can't be swapped."""
    return sealed_context(AccessKey, key_id)


def _random(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))
