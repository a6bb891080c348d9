"""What the generated API modules are made of; knows no service, no protocol and no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import msgspec

Integer = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""What the models call an integer has 32 bits, a long 64; Python's would take any number of digits."""
Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Timestamp = float
"""Seconds since the epoch, UTC. Each protocol writes it in its own format."""


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A modelled structure. Immutable; an absent member is None and is not written.

    What the model marks as sensitive is not shown when one is printed: not in a log line, not in a traceback.
    """

    def __repr__(self) -> str:
        hidden = sensitive_members(type(self))
        shown = (
            f"{name}={'...' if name in hidden else repr(value)}"
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None
        )
        return f"{type(self).__name__}({', '.join(shown)})"


@cache
def sensitive_members(shape: type[Shape]) -> frozenset[str]:
    """The members of a shape, by their names in Python, that its model marks as sensitive."""
    kind = msgspec.inspect.type_info(shape)
    assert isinstance(kind, msgspec.inspect.StructType)
    return frozenset(field.name for field in kind.fields if is_marked_sensitive(field.type))


def is_marked_sensitive(kind: msgspec.inspect.Type) -> bool:
    """Whether an annotation says that its values are sensitive."""
    match kind:
        case msgspec.inspect.Metadata(type=inner, extra=extra):
            return bool((extra or {}).get("sensitive")) or is_marked_sensitive(inner)
        case msgspec.inspect.UnionType(types=types):
            return any(is_marked_sensitive(one) for one in types)
    return False


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


class Member(NamedTuple):
    """
    A member of a structure in the query protocols, where names and nesting differ between requests and answers.

    type: a scalar's type name, `structure`, `list` or `map`. of: what it holds, that is a structure's name, a list's
    item, or a map's key and value (as Members, whose names are those of the elements).
    """

    name: str
    """As modelled: the name by which the typed shape knows it."""
    request: str
    answer: str
    type: str
    of: Any = None
    is_flat: bool = False
    """A list or map without an element around its items."""
    timestamp: str = ""
    """A timestamp's format, where it is not the protocol's own."""
    attribute: bool = False
    """An XML attribute of the structure's element."""


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials: who they are of, for how long, and what limits them."""

    kind: Literal["role", "user", "root"]
    owner: str
    """The role's or user's name; empty for the root."""
    name: str
    """A role session's; empty for others."""
    issued_at: float
    expires_at: float
    policies: tuple[str, ...] | None = None
    """Documents that must allow as well; None: no such limit."""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    """Keys of the tags that sessions of sessions keep."""
    source_identity: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, and as which request."""

    account: str
    region: str
    request_id: str
    principal: str
    """The caller's ARN, e.g. arn:aws:iam::000000000000:root."""
    access_key: str = ""
    user_id: str = ""
    """AIDA..., AROA...:session, or the account's number for its root."""
    source_ip: str = ""
    is_secure: bool = False
    """It came by TLS."""
    user_agent: str = ""
    session: Session | None = None
    """Of temporary credentials."""
    host: str = ""
    """By what name, and port, the server was asked: the Host header."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of a service's table of operations."""

    name: str
    method: str
    request: type[Shape] | None
    response: type[Shape] | None
    errors: tuple[type[ServiceError], ...] = ()
    result_wrapper: str = ""
    """The element around a query answer's members."""
