"""AWS JSON 1.0 and 1.1: one POST /, the operation in X-Amz-Target, JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tidegate.api.shape import Operation, ServiceError, Shape
from tidegate.wire.eventstream import JsonEvents
from tidegate.wire.streaming import EventWriter
from tidegate.wire.validation import WireError, explain

ERROR_CODES = {
    "missing": ("MissingAuthenticationTokenException", 403),
    "incomplete": ("IncompleteSignatureException", 403),
    "unknown-key": ("UnrecognizedClientException", 403),
    "mismatch": ("InvalidSignatureException", 403),
    "expired": ("InvalidSignatureException", 403),
    "expired-token": ("ExpiredTokenException", 403),
    "denied": ("AccessDeniedException", 400),
}
"""By the kind of a SignatureProblem; `denied`: the signature is good, and its owner may not do this."""


class AwsJson:
    """Requests and answers of one service."""

    errors = ERROR_CODES
    events: EventWriter | None = JsonEvents()

    def __init__(self, service: str, operations: tuple[Operation, ...], version: str = "1.1") -> None:
        self._service = service
        self._decoders = {o.name: msgspec.json.Decoder(o.request) for o in operations if o.request is not None}
        self._encode = msgspec.json.Encoder().encode
        self.content_type = f"application/x-amz-json-{version}"

    def read(self, operation: Operation, body: bytes) -> Shape | None:
        """The typed request. Raises WireError."""
        if operation.request is None:
            return None
        decoder = self._decoders[operation.name]
        try:
            if not body.isascii():
                body.decode()  # the decoder does not look into members that it doesn't know
            return decoder.decode(body or b"{}")
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise self._explain(error, body, operation.request) from error

    def write(self, operation: Operation, answer: Shape | None, request_id: str) -> bytes:
        """The body of an answer."""
        return b"{}" if answer is None else self._encode(answer)

    def write_error(self, error: ServiceError, request_id: str) -> tuple[bytes, Mapping[str, str]]:
        """The body of an error, and headers beside it."""
        body = {"__type": error.code, "message": error.message, **error.members}
        return self._encode(body), {"x-amzn-errortype": error.code}

    def unknown(self, name: str, is_modelled: bool) -> WireError:
        """For an operation that there is not, or not here."""
        if is_modelled:
            return WireError("UnknownOperationException", f"Tidegate does not serve {self._service}:{name} yet.")
        return WireError("UnknownOperationException", f"The operation {name or '(none)'} is not known.")

    def _explain(self, error: Exception, body: bytes, shape: type[Shape]) -> WireError:
        try:
            raw = msgspec.json.decode(body or b"{}")
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raw = None
        return explain(self._service, error, raw, shape)
