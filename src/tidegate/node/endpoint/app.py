"""
The endpoint as an ASGI application: whose call it is, whether it is one too many, and who answers it.

It is served on a socket that tasks alone reach (see `network.endpoint`), by a server that bounds connections, headers
and time. What is read of a body is bounded here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import structlog

from tidegate.node.endpoint.agent_paths import AgentPaths
from tidegate.node.endpoint.answers import NOT_FOUND, TOO_MANY, Answer
from tidegate.node.endpoint.credentials_paths import CredentialsPaths
from tidegate.node.endpoint.facts import TaskFacts, Tasks
from tidegate.node.endpoint.metadata_paths import MetadataPaths
from tidegate.node.endpoint.throttle import Throttle

log = structlog.get_logger()

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
PATH_LIMIT = 512
BODY_LIMIT = 4096
_FAILED = Answer("failed to get task metadata", 500)
_CREDENTIALS_FAILED = Answer(
    {"code": "InternalServerError", "message": "Internal server error", "HTTPErrorCode": 500}, 500
)


class EndpointApp:
    """See the module."""

    def __init__(
        self,
        tasks: Tasks,
        throttle: Throttle,
        metadata: MetadataPaths,
        credentials: CredentialsPaths,
        agent: AgentPaths,
    ) -> None:
        self._tasks = tasks
        self._throttle = throttle
        self._metadata = metadata
        self._credentials = credentials
        self._agent = agent

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        address = scope["client"][0] if scope["client"] else ""
        answer = await self._answer(address, scope, receive) if self._throttle.admit(address) else TOO_MANY
        body = answer.body
        headers = {"content-type": answer.content_type, "content-length": str(len(body)), **answer.headers}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, address: str, scope: Mapping[str, Any], receive: Receive) -> Answer:
        path: str = scope["path"]
        if len(path) > PATH_LIMIT:
            return NOT_FOUND
        parts = tuple(path.removesuffix("/").split("/")[1:])
        facts = self._tasks.find(address)
        try:
            match parts:
                case ("v4" | "v3" as version, runtime_id, *rest):
                    return await self._metadata.by_id(version, facts, runtime_id, tuple(rest))
                case ("v2", "metadata" | "stats" as kind, *rest) if len(rest) < 2:
                    return await self._metadata.by_address(facts, address, kind, rest[0] if rest else None)
                case ("api", runtime_id, *rest):
                    return await self._agent.answer(
                        scope["method"], facts, runtime_id, tuple(rest), lambda: _read_body(receive)
                    )
                case ("v1" | "v2" as version, "credentials", *rest) if len(rest) < 2:
                    return self._credentials_of(version, facts, rest, scope)
        except Exception:  # the top of a call: a mistake of ours, told in the log alone
            log.exception("a call to the endpoint failed", kind=parts[:2] if "credentials" in parts else parts)
            return _CREDENTIALS_FAILED if "credentials" in parts else _FAILED
        return NOT_FOUND

    def _credentials_of(
        self, version: str, facts: TaskFacts | None, rest: list[str], scope: Mapping[str, Any]
    ) -> Answer:
        """Version 1 has the id in the query, version 2 in the path."""
        if version == "v2":
            return self._credentials.answer(version, facts, rest[0] if rest else "")
        if rest:
            return NOT_FOUND
        query = scope["query_string"].decode("latin-1")
        given = dict(parse_qsl(query[:PATH_LIMIT])).get("id", "")
        return self._credentials.answer(version, facts, given)


async def _read_body(receive: Receive) -> bytes:
    """The whole body; what is longer than any request is cut, and so is no longer JSON."""
    body = b""
    while len(body) <= BODY_LIMIT:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    return body[:BODY_LIMIT]
