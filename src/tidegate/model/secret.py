"""Records of Secrets Manager: a secret, and each of its versions."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tidegate.model.record import Record
from tidegate.model.sealed import Sealed


class Secret(Record, frozen=True, kw_only=True):
    """What all versions of a secret have in common."""

    KIND = "secret"

    name: str
    id: str
    """32 hex digits, ours: a secret that is made anew under the name has another."""
    suffix: str
    """Six characters that end its ARN."""
    created_at: float
    changed_at: float
    accessed_at: float | None = None
    """The day, as AWS shows it."""
    deleted_at: float | None = None
    """When its deletion was asked for."""
    purge_at: float | None = None
    """When it goes for good."""
    description: str = ""
    key_id: str = ""
    """As it was given: kept and returned, and asked for in the task's name at launch."""
    policy: str = ""
    stages: dict[str, str] = msgspec.field(default_factory=dict)
    """The version that each staging label is on."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.name


class SecretVersion(Record, frozen=True, kw_only=True):
    """One version: its value, encrypted at rest."""

    KIND = "secret-version"
    INDEXES: ClassVar = {"secret": lambda version: version.secret}

    secret: str
    """The secret's id."""
    id: str
    """The ClientRequestToken of the request that made it."""
    sealed_value: Sealed
    is_binary: bool = False
    created_at: float
    accessed_at: float | None = None
    """The day."""

    @property
    def key(self) -> str:
        return secret_version_key(self.secret, self.id)


def secret_version_key(secret: str, version: str) -> str:
    """By the ids of both."""
    return f"{secret}/{version}"
