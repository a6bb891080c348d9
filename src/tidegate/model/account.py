"""Records of the account: its identity, its keys, its network."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tidegate.model.record import Record
from tidegate.model.sealed import Sealed
from tidegate.model.spec import SecurityGroupSpec


class Account(Record, frozen=True, kw_only=True):
    """The one account of a server; made at first start."""

    KIND = "account"

    id: str
    """12 digits."""
    region: str

    @property
    def key(self) -> str:
        return "account"


class AccessKey(Record, frozen=True, kw_only=True):
    """A key that requests are signed with. The secret is encrypted at rest (see `store.secrets`)."""

    KIND = "access-key"
    INDEXES: ClassVar = {"user": lambda key: key.user.lower() or None}

    id: str
    """AKIA..., 20 characters."""
    principal: str
    """ARN of the root; of a user's key, the user's ARN when it was made."""
    user: str = ""
    """The user's name; empty: the root's."""
    is_active: bool = True
    sealed_secret: Sealed
    created_at: float

    @property
    def key(self) -> str:
        return self.id


class Vpc(Record, frozen=True, kw_only=True):
    """A virtual network: an address range of this server's own."""

    KIND = "vpc"

    id: str
    cidr: str
    is_default: bool = False
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.id


class Subnet(Record, frozen=True, kw_only=True):
    """A part of a VPC. As on AWS its first four addresses and its last are reserved; .1 is the gateway."""

    KIND = "subnet"

    id: str
    vpc: str
    cidr: str
    availability_zone: str
    is_default: bool = False
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.id


class RuleDetail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a rule besides what it permits."""

    id: str
    """sgr- and 17 hex digits."""
    description: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class SecurityGroup(Record, frozen=True, kw_only=True):
    """Who may talk to whom. `rules` is what engines are given."""

    KIND = "security-group"

    id: str
    vpc: str
    name: str
    description: str
    rules: SecurityGroupSpec
    rule_details: dict[str, RuleDetail] = msgspec.field(default_factory=dict)
    """By the rule's canonical text; the text's form belongs to services.ec2."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.id
