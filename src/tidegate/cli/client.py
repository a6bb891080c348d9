"""
The CLI's client of the API: typed shapes over signed HTTP.

botocore would do as well, at 0.4 s for each start of the command; the shapes and the signer are here anyway.
"""

from __future__ import annotations

import http.client
from typing import TypeVar
from urllib.parse import urlsplit

import click
import msgspec

from tidegate.api import ecs, logs, tidegate
from tidegate.api.shape import Shape
from tidegate.cli.target import Target
from tidegate.wire.sigv4 import sign_headers

S = TypeVar("S", bound=Shape)

TIMEOUT_SECONDS = 600
"""Longer than the longest single call, the pull of an image."""


class ApiError(click.ClickException):
    """An error that the server answered with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})" if message else code)
        self.code = code


class _ErrorBody(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")
    message: str = ""


class Client:
    """Calls a server. Raises ApiError for what it refuses, click.ClickException when it can't be reached."""

    def __init__(self, target: Target, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._target = target
        self._timeout_seconds = timeout_seconds
        self._address = urlsplit(target.endpoint)
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ecs(self, operation: str, request: Shape, response: type[S]) -> S:
        """Call ECS."""
        return self._call("ecs", f"{ecs.TARGET_PREFIX}.{operation}", request, response)

    def logs(self, operation: str, request: Shape, response: type[S]) -> S:
        """Call CloudWatch Logs."""
        return self._call("logs", f"{logs.TARGET_PREFIX}.{operation}", request, response)

    def tidegate(self, operation: str, request: Shape, response: type[S]) -> S:
        """Call what is Tidegate's own."""
        return self._call("tidegate", f"{tidegate.TARGET_PREFIX}.{operation}", request, response)

    def _call(self, service: str, action: str, request: Shape, response: type[S]) -> S:
        body = msgspec.json.encode(request)
        headers = {
            "host": self._address.netloc,
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": action,
        }
        signed = sign_headers(
            method="POST",
            path="/",
            headers=headers,
            body=body,
            access_key=self._target.access_key,
            secret_key=self._target.secret_key,
            region=self._target.region,
            service=service,
            session_token=self._target.session_token,
        )
        status, answer = self._exchange(body, signed)
        if status != 200:
            raise _error(status, answer)
        return msgspec.json.decode(answer or b"{}", type=response)

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            if self._connection is None:
                kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
                self._connection = kind(self._address.netloc, timeout=self._timeout_seconds)
            self._connection.request("POST", "/", body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection = None
            raise click.ClickException(
                f"cannot reach the server at {self._target.endpoint}: {error}. "
                "Is it running? Start it with `tidegate server`."
            ) from error


def _error(status: int, answer: bytes) -> ApiError:
    try:
        body = msgspec.json.decode(answer, type=_ErrorBody)
    except msgspec.DecodeError:
        return ApiError(f"HTTP {status}", answer[:200].decode(errors="replace"))
    return ApiError(body.type.rpartition("#")[2] or f"HTTP {status}", body.message)
