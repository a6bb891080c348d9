"""Records of who there is: users, groups, roles, and the policies that say what they may do."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tidegate.model.record import Record
from tidegate.model.sealed import Sealed


class Named(Record, frozen=True, kw_only=True):
    """What all of them have. Names differ in more than case, so the key is the name in lower case."""

    name: str
    id: str
    """Four letters for the kind (AIDA: a user, AROA: a role ...) and 17 more characters; never used again."""
    path: str = "/"
    created_at: float
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.name.lower()


class Grantee(Named, frozen=True, kw_only=True):
    """Who carries policies."""

    inline: dict[str, str] = msgspec.field(default_factory=dict)
    """Documents by the policy's name."""
    attached: tuple[str, ...] = ()
    """ARNs of managed policies."""
    boundary: str | None = None
    """ARN of a managed policy."""


class User(Grantee, frozen=True, kw_only=True):
    """Somebody with access keys of their own."""

    KIND = "iam-user"

    groups: tuple[str, ...] = ()
    """Names of the groups that they are in."""


class Group(Grantee, frozen=True, kw_only=True):
    """Carries policies for its members."""

    KIND = "iam-group"


class Role(Grantee, frozen=True, kw_only=True):
    """What a task, a service or another principal becomes for a while."""

    KIND = "iam-role"

    trust: str
    """The document that says who may assume it."""
    description: str | None = None
    max_session_seconds: int = 3600


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One document of a managed policy."""

    number: int
    document: str
    created_at: float


class ManagedPolicy(Named, frozen=True, kw_only=True):
    """A policy with an ARN of its own, which many may carry."""

    KIND = "iam-policy"

    description: str | None = None
    versions: tuple[PolicyVersion, ...]
    """Oldest first."""
    default: int
    """The number of the version that is in force."""
    latest: int
    """The highest number that was ever given out."""
    updated_at: float

    @property
    def document(self) -> str:
        """The one that is in force."""
        return next(version.document for version in self.versions if version.number == self.default)


class SessionKey(Record, frozen=True, kw_only=True):
    """What session tokens are sealed with. Its own, so that they outlive a change of the master key."""

    KIND = "session-key"

    sealed_key: Sealed
    """32 bytes."""

    @property
    def key(self) -> str:
        return "session-key"


class InstanceProfile(Named, frozen=True, kw_only=True):
    """Holds a role for instances; kept for those who describe their stack with one."""

    KIND = "iam-instance-profile"
    INDEXES: ClassVar = {"role": lambda profile: profile.role.lower() if profile.role else None}

    role: str | None = None
    """The role's name."""
