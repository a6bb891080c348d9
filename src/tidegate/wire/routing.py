"""
For whom a request is: the service, then its operation.

By the X-Amz-Target, else by the scope of the signature's credential, else (unsigned) by the version that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol
from urllib.parse import urlencode

from tidegate.api.shape import Operation, ServiceError, Shape
from tidegate.wire.awsjson import AwsJson
from tidegate.wire.body import BODY_LIMIT, BODY_LIMITS
from tidegate.wire.ec2query import Ec2Query
from tidegate.wire.form import parse_form
from tidegate.wire.query import Query
from tidegate.wire.sigv4 import SignatureProblem, SignedRequest, read_claim
from tidegate.wire.streaming import EventWriter
from tidegate.wire.validation import WireError


class Codec(Protocol):
    """A protocol's reading and writing, for one service."""

    @property
    def errors(self) -> Mapping[str, tuple[str, int]]: ...
    @property
    def content_type(self) -> str: ...
    @property
    def events(self) -> EventWriter | None:
        """For answers that are streams of events; None: the service has none."""

    def read(self, operation: Operation, body: bytes) -> Shape | None: ...
    def write(self, operation: Operation, answer: Shape | None, request_id: str) -> bytes: ...
    def write_error(self, error: ServiceError, request_id: str) -> tuple[bytes, Mapping[str, str]]: ...
    def unknown(self, name: str, is_modelled: bool) -> WireError: ...


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the application serves it."""

    api: ModuleType
    implementation: object
    codec: Codec
    operations: Mapping[str, Operation]


def serve_with(api: ModuleType, implementation: object) -> Service:
    """`implementation` (an `api.Api`) behind the protocol that its model names."""
    codec: Codec
    match api.PROTOCOL:
        case "json":
            codec = AwsJson(api.SERVICE, api.OPERATIONS, api.JSON_VERSION)
        case "query":
            codec = Query(api)
        case "ec2":
            codec = Ec2Query(api)
        case other:
            raise ValueError(f"cannot serve {api.SERVICE}: there is no codec for protocol {other}")
    return Service(api, implementation, codec, {o.name: o for o in api.OPERATIONS})


class Router:
    """
    Finds services and operations.

    is_signed: without signatures a query's Version alone may say which service is meant.
    """

    def __init__(self, services: list[Service], *, is_signed: bool) -> None:
        self._is_signed = is_signed
        self._by_target = {s.api.TARGET_PREFIX: s for s in services if s.api.TARGET_PREFIX}
        self._by_scope = {s.api.SERVICE: s for s in services}
        self._by_version = {s.api.VERSION: s for s in services if not s.api.TARGET_PREFIX}
        # who answers what is for nobody: in JSON, in XML
        self._json_voice = next((s for s in services if s.api.TARGET_PREFIX), services[0])
        self._xml_voice = next((s for s in services if not s.api.TARGET_PREFIX), services[0])
        self._limits = {s.api.TARGET_PREFIX: BODY_LIMITS.get(s.api.SERVICE, BODY_LIMIT) for s in services}

    def voice(self, headers: Mapping[str, str]) -> Service:
        """Whose protocol an error is told in before it is known what the request is for."""
        is_json = "x-amz-target" in headers or "json" in headers.get("content-type", "")
        return self._json_voice if is_json else self._xml_voice

    def body_limit(self, headers: Mapping[str, str]) -> int:
        """Bytes, by the service that the headers name."""
        return self._limits.get(headers.get("x-amz-target", "").partition(".")[0], BODY_LIMIT)

    def find_service(self, voice: Service, request: SignedRequest) -> Service:
        """Raises WireError, or SignatureProblem where only a signature could say."""
        target = request.headers.get("x-amz-target")
        if target is not None:
            if request.method != "POST":
                raise WireError("UnknownOperationException", "A request with X-Amz-Target has to be a POST.", 405)
            found = self._by_target.get(target.partition(".")[0])
            if found is None:
                raise WireError("UnknownOperationException", f"The target {target[:100]} is not known.")
            return found
        try:
            found = self._by_scope.get(read_claim(request).scope.service)
        except SignatureProblem:
            found = self._by_version.get(_parameters(request).get("Version", ""))
            if found is None and self._is_signed:
                raise
        if found is None:
            code = "UnknownOperationException" if voice.api.TARGET_PREFIX else "InvalidAction"
            raise WireError(code, "Tidegate does not serve what this request is for.")
        return found


def operation_name(request: SignedRequest) -> str:
    """As the request gives it, known or not."""
    target = request.headers.get("x-amz-target")
    return target.partition(".")[2] if target is not None else _parameters(request).get("Action", "")


def find_operation(service: Service, name: str) -> Operation:
    """Raises WireError."""
    found = service.operations.get(name)
    if found is None:
        raise service.codec.unknown(name[:100], name in service.api.UNSERVED)
    return found


def read_arguments(request: SignedRequest) -> bytes:
    """The body, with the query's parameters where there are any: they are as good as the form's."""
    if not request.query or "x-amz-target" in request.headers:
        return request.body
    query = urlencode(request.query).encode()
    return query + b"&" + request.body if request.body else query


def _parameters(request: SignedRequest) -> dict[str, str]:
    """The query's and the form's: AWS takes either."""
    return dict([*request.query, *parse_form(request.body.decode(errors="replace"))])
