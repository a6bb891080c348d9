"""The subnets that a task goes to when its user does not name any."""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from urllib.parse import urlencode, urlsplit

import click

from tidegate.api import ec2
from tidegate.cli.target import Target
from tidegate.wire.sigv4 import sign_headers

NAMESPACE = f"{{{ec2.XML_NAMESPACE}}}"


def default_subnets(target: Target) -> tuple[str, ...]:
    """The ids of the default VPC's subnets, by EC2's DescribeSubnets. Raises click.ClickException."""
    body = urlencode(
        {
            "Action": "DescribeSubnets",
            "Version": ec2.VERSION,
            "Filter.1.Name": "default-for-az",
            "Filter.1.Value.1": "true",
        }
    ).encode()
    address = urlsplit(target.endpoint)
    headers = sign_headers(
        method="POST",
        path="/",
        headers={"host": address.netloc, "content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        body=body,
        access_key=target.access_key,
        secret_key=target.secret_key,
        region=target.region,
        service="ec2",
    )
    try:
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except OSError as error:
        raise click.ClickException(
            f"cannot reach the server at {target.endpoint}: {error}. Is it running? Start it with `tidegate server`."
        ) from error
    root = ET.fromstring(text)  # noqa: S314 - our own server's answer
    if answer.status != 200:
        raise click.ClickException(" ".join(word.strip() for word in root.itertext() if word.strip()))
    found = tuple(e.text or "" for e in root.iter(f"{NAMESPACE}subnetId"))
    if not found:
        raise click.ClickException("the server has no default subnets")
    return found
