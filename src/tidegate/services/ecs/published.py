"""
Ports of this machine that lead to a task: what the tag `tidegate:publish` says.

AWS has nothing like it (a task there has an address that the VPC's other members reach). The value is a list, parted by
spaces, of `[ADDRESS:]HOST_PORT:CONTAINER_PORT[/PROTOCOL]`, e.g. `8080:80/tcp 127.0.0.1:8443:443`. ADDRESS is an IPv4
address of this machine, 127.0.0.1 if it is left out; PROTOCOL is tcp (the default) or udp.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Literal

from tidegate.api import ecs
from tidegate.model.spec import PublishedPort

PUBLISH_TAG = "tidegate:publish"

_ENTRY = re.compile(
    r"(?:(?P<address>[0-9.]{7,15}):)?(?P<host>[0-9]{1,5}):(?P<container>[0-9]{1,5})(?:/(?P<protocol>tcp|udp))?",
    re.ASCII,
)
_DEFAULT_ADDRESS = "127.0.0.1"


def published_ports(tags: Iterable[ecs.Tag]) -> tuple[PublishedPort, ...]:
    """What the tags ask for; InvalidParameterException if the value is not a list as above."""
    value = next((tag.value for tag in tags if tag.key == PUBLISH_TAG), None)
    if value is None:
        return ()
    ports = tuple(_parse(entry) for entry in value.split(" ") if entry)
    if not ports:
        raise ecs.InvalidParameterException(f"cannot read the tag {PUBLISH_TAG}: it names no port")
    taken = [(port.host_address, port.host_port, port.protocol) for port in ports]
    if len(set(taken)) != len(taken):
        raise ecs.InvalidParameterException(f"cannot read the tag {PUBLISH_TAG}: it names a host port twice")
    return ports


def _parse(entry: str) -> PublishedPort:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise _refused(entry, "it is not [ADDRESS:]HOST_PORT:CONTAINER_PORT[/tcp|/udp]")
    return PublishedPort(
        host_address=_address(match["address"] or _DEFAULT_ADDRESS, entry),
        host_port=_port(match["host"], entry),
        container_port=_port(match["container"], entry),
        protocol=_protocol(match["protocol"]),
    )


def _address(text: str, entry: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError as error:
        raise _refused(entry, f"{text} is not an IPv4 address") from error


def _port(text: str, entry: str) -> int:
    if not 1 <= int(text) <= 65535:
        raise _refused(entry, f"port {text} is not between 1 and 65535")
    return int(text)


def _protocol(text: str | None) -> Literal["tcp", "udp"]:
    return "udp" if text == "udp" else "tcp"


def _refused(entry: str, why: str) -> ecs.InvalidParameterException:
    return ecs.InvalidParameterException(f"cannot read the tag {PUBLISH_TAG}: {entry!r}: {why}")
