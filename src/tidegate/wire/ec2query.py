"""EC2's query protocol: flat lists in requests, `item` lists in answers, an envelope of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tidegate.api.shape import Operation, ServiceError, Shape
from tidegate.wire.query import Query
from tidegate.wire.validation import WireError, explain, find_violation
from tidegate.wire.xml import xml_text


class Ec2Query(Query):
    """Requests and answers of EC2."""

    errors: Mapping[str, tuple[str, int]] = MappingProxyType(
        {
            "missing": ("MissingAuthenticationToken", 403),
            "incomplete": ("IncompleteSignature", 400),
            "unknown-key": ("AuthFailure", 401),
            "mismatch": ("SignatureDoesNotMatch", 403),
            "expired": ("RequestExpired", 400),
            "expired-token": ("RequestExpired", 400),
            "denied": ("UnauthorizedOperation", 403),
        }
    )
    is_ec2 = True

    def write(self, operation: Operation, answer: Shape | None, request_id: str) -> bytes:
        """The body of an answer."""
        inner = "" if answer is None else self._writer.structure(type(answer).__name__.removesuffix("_"), answer)
        return (
            f'<{operation.name}Response xmlns="{self._api.XML_NAMESPACE}"><requestId>{request_id}</requestId>'
            f"{inner}</{operation.name}Response>"
        ).encode()

    def write_error(self, error: ServiceError, request_id: str) -> tuple[bytes, Mapping[str, str]]:
        """The body of an error, and headers beside it."""
        return (
            f"<Response><Errors><Error><Code>{xml_text(error.code)}</Code><Message>{xml_text(error.message)}</Message>"
            f"</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        ).encode(), {}

    def _explain(self, error: msgspec.ValidationError, values: object, shape: type[Shape]) -> WireError:
        found = find_violation(error, values, shape)
        if found is not None and found.value is None:
            return WireError("MissingParameter", f"The request must contain the parameter {found.name}")
        return WireError("InvalidParameterValue", explain(self._api.SERVICE, error, values, shape).message)
