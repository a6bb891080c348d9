"""What the generated API modules are made of; knows no service, no protocol and no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

Timestamp = float
"""Seconds since the epoch, UTC. Each protocol writes it in its own format."""


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A modelled structure. Immutable; an absent member is None and is not written."""


class ServiceError(Exception):
    """
    An error for the caller.

    The service models' exceptions derive from it (generated, one class each). Raise it in `services`
    or `wire`; the protocol that the request came by renders it, and nothing else does.

    members: modelled members beside the message, by their wire name.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 500

    def __init__(self, message: str = "", /, **members: Any) -> None:
        super().__init__(message)
        self.message = message
        self.members: Mapping[str, Any] = members


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, and as which request."""

    account: str
    region: str
    request_id: str
    principal: str
    """The caller's ARN, e.g. arn:aws:iam::000000000000:root."""
    access_key: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of a service's table of operations."""

    name: str
    method: str
    request: type[Shape] | None
    response: type[Shape] | None
    errors: tuple[type[ServiceError], ...] = ()
