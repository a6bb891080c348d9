"""AWS query (STS): a form in, XML out. `ec2query` differs in names, lists and envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

import msgspec

from tidegate.api.shape import Operation, ServiceError, Shape
from tidegate.wire.form import FormReader, Tree, parse_form, to_tree
from tidegate.wire.streaming import EventWriter
from tidegate.wire.validation import WireError, explain
from tidegate.wire.xml import XmlWriter, xml_text


class Query:
    """Requests and answers of one service."""

    errors: Mapping[str, tuple[str, int]] = MappingProxyType(
        {
            "missing": ("MissingAuthenticationToken", 403),
            "incomplete": ("IncompleteSignature", 400),
            "unknown-key": ("InvalidClientTokenId", 403),
            "mismatch": ("SignatureDoesNotMatch", 403),
            "expired": ("SignatureDoesNotMatch", 403),
            "expired-token": ("ExpiredToken", 403),
            "denied": ("AccessDenied", 403),
        }
    )
    events: EventWriter | None = None
    is_ec2 = False
    content_type = "text/xml"

    def __init__(self, api: ModuleType) -> None:
        self._api = api
        self._reader = FormReader(api.MEMBERS, is_ec2=self.is_ec2)
        self._writer = XmlWriter(api.MEMBERS)

    def read(self, operation: Operation, body: bytes) -> Shape | None:
        """The typed request. Raises WireError."""
        if operation.request is None:
            return None
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise WireError("MalformedQueryString", "The query string is not UTF-8.") from error
        values = self._reader.structure(operation.request.__name__.removesuffix("_"), _arguments(text))
        try:
            return msgspec.convert(values, operation.request, strict=False)
        except msgspec.ValidationError as error:
            raise self._explain(error, values, operation.request) from error

    def write(self, operation: Operation, answer: Shape | None, request_id: str) -> bytes:
        """The body of an answer."""
        inner = "" if answer is None else self._writer.structure(type(answer).__name__.removesuffix("_"), answer)
        if operation.result_wrapper:
            inner = f"<{operation.result_wrapper}>{inner}</{operation.result_wrapper}>"
        return (
            f'<{operation.name}Response xmlns="{self._api.XML_NAMESPACE}">{inner}'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation.name}Response>"
        ).encode()

    def write_error(self, error: ServiceError, request_id: str) -> tuple[bytes, Mapping[str, str]]:
        """The body of an error, and headers beside it."""
        kind = "Receiver" if error.status >= 500 else "Sender"
        return (
            f'<ErrorResponse xmlns="{self._api.XML_NAMESPACE}"><Error><Type>{kind}</Type>'
            f"<Code>{xml_text(error.code)}</Code><Message>{xml_text(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        ).encode(), {}

    def unknown(self, name: str, is_modelled: bool) -> WireError:
        """For an operation that there is not, or not here."""
        if is_modelled:
            return WireError("InvalidAction", f"Tidegate does not serve the action {name} yet.")
        return WireError(
            "InvalidAction", f"Could not find operation {name or '(none)'} for version {self._api.VERSION}"
        )

    def _explain(self, error: msgspec.ValidationError, values: object, shape: type[Shape]) -> WireError:
        return explain(self._api.SERVICE, error, values, shape)


def _arguments(text: str) -> Tree:
    """Without what says which operation is meant, and who asks."""
    return to_tree([(n, v) for n, v in parse_form(text) if n not in ("Action", "Version") and n[:6] != "X-Amz-"])
