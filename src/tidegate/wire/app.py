"""
The ASGI application: one address for all services, as clients with one endpoint URL expect it.

A request goes to the service that its X-Amz-Target names, else to that of its SigV4 credential scope; there its
operation is read, its signature verified, its body decoded, its handler called, and the answer or the error written as
the service's protocol has it. One line is logged a request (see `request_log`); never a body.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from tidegate.api.shape import ServiceError
from tidegate.wire.authentication import Authenticator, Identity
from tidegate.wire.authorization import Authorizer, Gate
from tidegate.wire.body import BodyTooLarge, Budget, ClientGone, TooBusy, read_body
from tidegate.wire.form import parse_form
from tidegate.wire.request_log import RequestLog
from tidegate.wire.routing import Router, Service, find_operation, operation_name, read_arguments
from tidegate.wire.sigv4 import KeyRing, SignatureProblem, SignedRequest
from tidegate.wire.streaming import EventStream, Receive, Send
from tidegate.wire.validation import WireError

log = structlog.get_logger()

Scope = Mapping[str, Any]


@dataclass(slots=True)
class Exchange:
    """A request on its way, and what the log line says of it."""

    id: str
    service: Service
    operation: str = ""
    principal: str = ""
    error: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: whole, or as events."""

    body: bytes | EventStream
    headers: Mapping[str, str]


class Application:
    """
    See the module.

    keys None: signatures are not looked at (--insecure-no-auth). gate None: whoever has a key may do everything.
    tells_successes: log requests that went well too.
    """

    def __init__(
        self,
        services: list[Service],
        identity: Identity,
        keys: KeyRing | None,
        health: Callable[[], Mapping[str, object]],
        *,
        gate: Gate | None = None,
        tells_successes: bool = True,
    ) -> None:
        self._log = RequestLog(tells_successes=tells_successes)
        self._health = health
        self._router = Router(services, is_signed=keys is not None)
        self._authenticator = Authenticator(identity, keys)
        self._budget = Budget()
        self._authorizer = Authorizer(gate, identity.root)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/health" and scope["method"] in ("GET", "HEAD"):
            await _send(send, 200, "application/json", msgspec.json.encode(dict(self._health())), {})
            return
        began = time.perf_counter()
        headers = _headers(scope)
        exchange = Exchange(_request_id(), self._router.voice(headers))
        with self._budget.lease() as lease:
            try:
                _refuse_encodings(headers)
                body = await read_body(receive, headers, lease, self._router.body_limit(headers))
                answer = await self._answer(exchange, _request(scope, headers, body))
            except ClientGone:
                return
            except BodyTooLarge as error:
                answer = _render(exchange, WireError("RequestEntityTooLargeException", str(error), 413))
            except TooBusy:
                answer = _render(
                    exchange, WireError("ServiceUnavailable", "The server is busy. Please try again.", 503)
                )
            except WireError as error:
                answer = _render(exchange, error)
        await _send_answer(exchange, answer, send, receive)
        self._tell(exchange, began)

    async def _answer(self, exchange: Exchange, request: SignedRequest) -> Answer:
        try:
            exchange.service = service = self._router.find_service(exchange.service, request)
            name = operation_name(request)
            exchange.operation = name[:100]
            operation = find_operation(service, name)
            context = self._authenticator.authenticate(request, service.api.SERVICE, exchange.id)
            exchange.principal = context.principal
            arguments = service.codec.read(operation, read_arguments(request))
            self._authorizer.authorize(context, service, operation, arguments)
            answer = await getattr(service.implementation, operation.method)(context, arguments)
            if isinstance(answer, AsyncIterator):
                if service.codec.events is None:
                    raise TypeError(f"{service.api.SERVICE} has no way to write events")
                return Answer(EventStream(service.codec.events, operation, answer, exchange.id), {})
            return Answer(service.codec.write(operation, answer, exchange.id), {})
        except SignatureProblem as problem:
            code, status = exchange.service.codec.errors[problem.kind]
            return _render(exchange, WireError(code, str(problem), status))
        except ServiceError as error:
            return _render(exchange, error)
        except Exception:  # the top of a request: a mistake of ours, told in the log alone
            log.error("request failed", id=exchange.id, operation=exchange.operation, trace=traceback.format_exc())
            return _render(exchange, _internal(exchange))

    def _tell(self, exchange: Exchange, began: float) -> None:
        self._log.tell(
            service=exchange.service.api.SERVICE,
            operation=exchange.operation,
            status=exchange.status,
            error=exchange.error or None,
            principal=exchange.principal,
            ms=round((time.perf_counter() - began) * 1000, 2),
            id=exchange.id,
        )


def _render(exchange: Exchange, error: ServiceError) -> Answer:
    exchange.status, exchange.error = error.status, error.code
    return Answer(*exchange.service.codec.write_error(error, exchange.id))


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


def _refuse_encodings(headers: Mapping[str, str]) -> None:
    """No operation that is served has a body that may be compressed, and a kilobyte can be a gigabyte then."""
    encoding = headers.get("content-encoding", "identity")
    transfer = headers.get("transfer-encoding", "chunked")
    if encoding.lower() != "identity" or transfer.lower() != "chunked":
        raise WireError("UnsupportedMediaTypeException", "A request's body must be sent as it is, not compressed.", 415)


def _request(scope: Scope, headers: Mapping[str, str], body: bytes) -> SignedRequest:
    query = scope["query_string"]
    return SignedRequest(
        method=scope["method"],
        path=scope.get("raw_path", b"/").decode("latin-1"),
        query=parse_form(query.decode("latin-1")) if query else (),
        headers=headers,
        body=body,
        client=(scope.get("client") or ("",))[0],
        is_secure=scope.get("scheme") == "https",
    )


async def _send_answer(exchange: Exchange, answer: Answer, send: Send, receive: Receive) -> None:
    headers = {"x-amzn-requestid": exchange.id, **answer.headers}
    if isinstance(answer.body, bytes):
        await _send(send, exchange.status, exchange.service.codec.content_type, answer.body, headers)
        return
    headers = {"content-type": answer.body.content_type, **headers}
    await send({"type": "http.response.start", "status": exchange.status, "headers": _encoded(headers)})
    await answer.body.send_to(send, receive)


async def _send(send: Send, status: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> None:
    headers = {"content-type": content_type, "content-length": str(len(body)), **headers}
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
