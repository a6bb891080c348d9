"""Records of the Parameter Store: a parameter, and each of its versions."""

from __future__ import annotations

from typing import Literal

import msgspec

from tidegate.model.record import Record
from tidegate.model.sealed import Sealed

ParameterType = Literal["String", "StringList", "SecureString"]
Tier = Literal["Standard", "Advanced"]


class Parameter(Record, frozen=True, kw_only=True):
    """What all versions of a parameter have in common."""

    KIND = "parameter"

    name: str
    """As it was given: with a leading slash if it is in a hierarchy."""
    latest: int
    """Number of the newest version; the first has 1."""
    oldest: int = 1
    """Number of the oldest version that is kept."""
    labels: dict[str, int] = msgspec.field(default_factory=dict)
    """The version that each label is on."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.name


class ParameterVersion(Record, frozen=True, kw_only=True):
    """One version. The value is encrypted at rest, whatever the type."""

    KIND = "parameter-version"

    parameter: str
    number: int
    type: ParameterType
    sealed_value: Sealed
    modified_at: float
    modified_by: str
    """ARN."""
    tier: Tier = "Standard"
    description: str = ""
    allowed_pattern: str = ""
    key_id: str = ""
    """Of a SecureString, as it was given: it is kept and returned, and asked for in the task's name at launch."""

    @property
    def key(self) -> str:
        return version_key(self.parameter, self.number)


def version_key(parameter: str, number: int) -> str:
    """A version's key; a parameter's name has no colon."""
    return f"{parameter}:{number}"
