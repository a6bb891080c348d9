"""
The ASGI application: one address for all services, as clients with one endpoint URL expect it.

A request goes to the service that its X-Amz-Target names, else to that of its SigV4 credential scope; there its
operation is read, its signature verified, its body decoded, its handler called, and the answer or the error written as
the service's protocol has it. One line is logged a request; never a body.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
import structlog

from tidegate.api.shape import Context, Operation, ServiceError, Shape
from tidegate.wire.awsjson import AwsJson
from tidegate.wire.body import BODY_LIMIT, BODY_LIMITS, BodyTooLarge, ClientGone, read_body
from tidegate.wire.ec2query import Ec2Query
from tidegate.wire.form import parse_form
from tidegate.wire.query import Query
from tidegate.wire.sigv4 import KeyRing, SignatureProblem, SignedRequest, read_claim, verify
from tidegate.wire.validation import WireError

log = structlog.get_logger()

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Codec(Protocol):
    """A protocol's reading and writing, for one service."""

    @property
    def errors(self) -> Mapping[str, tuple[str, int]]: ...
    @property
    def content_type(self) -> str: ...

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


@dataclass(frozen=True, slots=True)
class Identity:
    """Of the server: whose account, where; `root` is who asks when signatures are switched off."""

    account: str
    region: str

    @property
    def root(self) -> str:
        """The account's root."""
        return f"arn:aws:iam::{self.account}:root"


@dataclass(slots=True)
class Exchange:
    """A request on its way, and what the log line says of it."""

    id: str
    service: Service
    operation: str = ""
    principal: str = ""
    error: str = ""
    status: int = 200


class Application:
    """
    See the module.

    keys None: signatures are not looked at (--insecure-no-auth). tells_successes: log requests that went well too.
    """

    def __init__(
        self,
        services: list[Service],
        identity: Identity,
        keys: KeyRing | None,
        health: Callable[[], Mapping[str, object]],
        *,
        tells_successes: bool = True,
    ) -> None:
        self._tells_successes = tells_successes
        self._identity = identity
        self._keys = keys
        self._health = health
        self._by_target = {s.api.TARGET_PREFIX: s for s in services if s.api.TARGET_PREFIX}
        self._by_scope = {s.api.SERVICE: s for s in services}
        self._by_version = {s.api.VERSION: s for s in services if not s.api.TARGET_PREFIX}
        # who answers what is for nobody: in JSON, in XML
        self._json_voice = next((s for s in services if s.api.TARGET_PREFIX), services[0])
        self._xml_voice = next((s for s in services if not s.api.TARGET_PREFIX), services[0])
        self._limits = {s.api.TARGET_PREFIX: BODY_LIMITS.get(s.api.SERVICE, BODY_LIMIT) for s in services}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/health" and scope["method"] in ("GET", "HEAD"):
            await _send(send, 200, "application/json", msgspec.json.encode(dict(self._health())), {})
            return
        began = time.perf_counter()
        headers = _headers(scope)
        exchange = Exchange(_request_id(), self._voice(headers))
        try:
            limit = self._limits.get(headers.get("x-amz-target", "").partition(".")[0], BODY_LIMIT)
            request = _request(scope, headers, await read_body(receive, headers, limit))
        except ClientGone:
            return
        except BodyTooLarge as error:
            body, more = self._render(exchange, WireError("RequestEntityTooLargeException", str(error), 413))
        except WireError as error:
            body, more = self._render(exchange, error)
        else:
            body, more = await self._answer(exchange, request)
        more = {"x-amzn-requestid": exchange.id, **more}
        await _send(send, exchange.status, exchange.service.codec.content_type, body, more)
        if exchange.status < 400 and not self._tells_successes:
            return
        log.info(
            "request",
            service=exchange.service.api.SERVICE,
            operation=exchange.operation,
            status=exchange.status,
            error=exchange.error or None,
            principal=exchange.principal,
            ms=round((time.perf_counter() - began) * 1000, 2),
            id=exchange.id,
        )

    async def _answer(self, exchange: Exchange, request: SignedRequest) -> tuple[bytes, Mapping[str, str]]:
        try:
            exchange.service = service = self._route(exchange.service, request)
            operation = _operation(exchange, request)
            context = self._authenticate(exchange, request)
            arguments = service.codec.read(operation, _body(request))
            answer = await getattr(service.implementation, operation.method)(context, arguments)
            return service.codec.write(operation, answer, exchange.id), {}
        except SignatureProblem as problem:
            code, status = exchange.service.codec.errors[problem.kind]
            return self._render(exchange, WireError(code, str(problem), status))
        except ServiceError as error:
            return self._render(exchange, error)
        except Exception:  # the top of a request: a mistake of ours, told in the log alone
            log.error("request failed", id=exchange.id, operation=exchange.operation, trace=traceback.format_exc())
            return self._render(exchange, _internal(exchange))

    def _render(self, exchange: Exchange, error: ServiceError) -> tuple[bytes, Mapping[str, str]]:
        exchange.status, exchange.error = error.status, error.code
        return exchange.service.codec.write_error(error, exchange.id)

    def _voice(self, headers: Mapping[str, str]) -> Service:
        """Whose protocol an error is told in before it is known what the request is for."""
        is_json = "x-amz-target" in headers or "json" in headers.get("content-type", "")
        return self._json_voice if is_json else self._xml_voice

    def _route(self, voice: Service, request: SignedRequest) -> Service:
        target = request.headers.get("x-amz-target")
        if target is not None:
            found = self._by_target.get(target.partition(".")[0])
            if found is None:
                raise WireError("UnknownOperationException", f"The target {target[:100]} is not known.")
            return found
        try:
            found = self._by_scope.get(read_claim(request).scope.service)
        except SignatureProblem:
            found = self._by_version.get(_parameters(request).get("Version", ""))
            if found is None and self._keys is not None:
                raise
        if found is None:
            code = "UnknownOperationException" if voice.api.TARGET_PREFIX else "InvalidAction"
            raise WireError(code, "Tidegate does not serve what this request is for.")
        return found

    def _authenticate(self, exchange: Exchange, request: SignedRequest) -> Context:
        identity = self._identity
        if self._keys is None:
            if "origin" in request.headers:  # a form on any page can send what the query protocols take
                raise WireError(
                    "AccessDeniedException", "cannot answer a web page: signatures are switched off here", 403
                )
            exchange.principal = identity.root
            return Context(identity.account, identity.region, exchange.id, identity.root)
        claim, key = verify(request, self._keys, identity.region, datetime.now(UTC))
        exchange.principal = key.principal
        service = exchange.service.api.SERVICE
        if claim.scope.service != service:
            raise SignatureProblem("mismatch", f"Credential should be scoped to correct service: '{service}'.")
        return Context(identity.account, identity.region, exchange.id, key.principal, claim.scope.access_key)


def _operation(exchange: Exchange, request: SignedRequest) -> Operation:
    service = exchange.service
    target = request.headers.get("x-amz-target")
    name = target.partition(".")[2] if target is not None else _parameters(request).get("Action", "")
    exchange.operation = name[:100]
    found = service.operations.get(name)
    if found is None:
        raise service.codec.unknown(name[:100], name in service.api.UNSERVED)
    return found


def _parameters(request: SignedRequest) -> dict[str, str]:
    """The query's and the form's: AWS takes either."""
    return dict([*request.query, *parse_form(request.body.decode(errors="replace"))])


def _body(request: SignedRequest) -> bytes:
    """With the query's parameters, where there are any: they are as good as the form's."""
    if not request.query or "x-amz-target" in request.headers:
        return request.body
    query = urlencode(request.query).encode()
    return query + b"&" + request.body if request.body else query


def _request_id() -> str:
    """A random UUID, without the cost of the class."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _internal(exchange: Exchange) -> ServiceError:
    code = "ServerException" if exchange.service.api.PROTOCOL == "json" else "InternalFailure"
    return WireError(code, f"An internal error occurred; the server's log has it under {exchange.id}.", 500)


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def _request(scope: Scope, headers: Mapping[str, str], body: bytes) -> SignedRequest:
    query = scope["query_string"]
    return SignedRequest(
        method=scope["method"],
        path=scope.get("raw_path", b"/").decode("latin-1"),
        query=parse_form(query.decode("latin-1")) if query else (),
        headers=headers,
        body=body,
    )


async def _send(send: Send, status: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> None:
    pairs = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    pairs += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
