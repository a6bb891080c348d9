"""Calls of the query protocols (EC2, STS): a form there, XML back."""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from types import ModuleType
from urllib.parse import urlencode, urlsplit

import click

from tidegate.cli.target import Target
from tidegate.wire.sigv4 import sign_headers

TIMEOUT_SECONDS = 30


def call_query(target: Target, api: ModuleType, action: str, parameters: Mapping[str, str]) -> ET.Element:
    """The answer, its names without their namespace. Raises click.ClickException."""
    body = urlencode({"Action": action, "Version": api.VERSION, **parameters}).encode()
    address = urlsplit(target.endpoint)
    headers = sign_headers(
        method="POST",
        path="/",
        headers={"host": address.netloc, "content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        body=body,
        access_key=target.access_key,
        secret_key=target.secret_key,
        region=target.region,
        service=api.SERVICE,
        session_token=target.session_token,
    )
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(address.netloc, timeout=TIMEOUT_SECONDS)
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(
            f"cannot reach the server at {target.endpoint}: {error}. Is it running? Start it with `tidegate server`."
        ) from error
    root = ET.fromstring(text)  # noqa: S314 - our own server's answer
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if answer.status != 200:
        raise click.ClickException(f"{root.findtext('.//Message', '')} ({root.findtext('.//Code', '')})")
    return root
