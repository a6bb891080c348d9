"""Whether a request's principal may do what it asks; who knows that stands behind the Gate, beyond the wire."""

from __future__ import annotations

from typing import Protocol

from tidegate.api.shape import Context, Operation, Shape
from tidegate.wire.routing import Service
from tidegate.wire.validation import WireError


class Gate(Protocol):
    """Who may do what."""

    def refuse(self, ctx: Context, service: str, operation: Operation, arguments: Shape | None) -> str | None:
        """Why the request is not allowed, as the caller is told; None: it is."""


class Authorizer:
    """Asks the gate for every request but those that the root signed with a key for good. gate None: all may."""

    def __init__(self, gate: Gate | None, root: str) -> None:
        self._gate = gate
        self._root = root

    def authorize(self, ctx: Context, service: Service, operation: Operation, arguments: Shape | None) -> None:
        """Raises WireError."""
        if self._gate is None or (ctx.principal == self._root and ctx.session is None):
            return
        why = self._gate.refuse(ctx, service.api.SERVICE, operation, arguments)
        if why is not None:
            code, status = service.codec.errors["denied"]
            raise WireError(code, why, status)
