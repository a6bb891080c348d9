"""
Rules for port mappings.

Source: API reference, PortMapping. In awsvpc and host mode a task's containers share one set of ports.
"""

from __future__ import annotations

import re

from tidegate.api import ecs

MAX_RANGES = 100

_RANGE = re.compile(r"(?P<first>[0-9]{1,5})-(?P<last>[0-9]{1,5})")
_PORT_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")

Taken = dict[str, list[tuple[int, int]]]
"""First and last port of each mapping, by protocol."""


def check_ports(containers: tuple[ecs.ContainerDefinition, ...], mode: ecs.NetworkMode | None) -> None:
    """Refuse mappings that are malformed or that claim a port twice. Raises ClientException."""
    names: set[str] = set()
    shared: Taken = {}
    for container in containers:
        mappings = container.port_mappings or ()
        if mode == "none" and mappings:
            raise ecs.ClientException("Port mappings are not supported when networkMode=none.")
        if sum(mapping.container_port_range is not None for mapping in mappings) > MAX_RANGES:
            raise ecs.ClientException(
                f"Invalid 'containerPortRange' setting. Container '{container.name}' has more than {MAX_RANGES} ranges."
            )
        taken: Taken = shared if mode in ("awsvpc", "host") else {}
        for mapping in mappings:
            _check_host_port(mapping, mode)
            _claim(taken, mapping)
            _claim_name(names, mapping.name)


def _check_host_port(mapping: ecs.PortMapping, mode: ecs.NetworkMode | None) -> None:
    if mapping.container_port_range is not None:
        if mapping.container_port is not None or mapping.host_port is not None:
            raise ecs.ClientException("cannot specify both single port and port range")
        if mode not in ("awsvpc", "bridge"):
            raise ecs.ClientException(f"Invalid 'containerPortRange' setting: not supported when networkMode={mode}.")
        return
    if mode in ("awsvpc", "host"):
        if mapping.host_port != mapping.container_port:
            raise ecs.ClientException(
                f"When networkMode={mode}, the host ports and container ports in port mappings must match."
            )
    elif mapping.host_port is not None and not 0 <= mapping.host_port <= 65535:
        raise ecs.ClientException(f"Invalid 'hostPort' setting: {mapping.host_port} is not between 0 and 65535.")


def _claim(taken: Taken, mapping: ecs.PortMapping) -> None:
    first, last = _ports(mapping)
    claimed = taken.setdefault(mapping.protocol or "tcp", [])
    if any(first <= other_last and other_first <= last for other_first, other_last in claimed):
        raise ecs.ClientException("container port is used multiple times in task")
    claimed.append((first, last))


def _ports(mapping: ecs.PortMapping) -> tuple[int, int]:
    if mapping.container_port_range is None:
        port = mapping.container_port
        if port is None or not 1 <= port <= 65535:
            raise ecs.ClientException("Invalid 'containerPort' setting: it must be between 1 and 65535.")
        return port, port
    match = _RANGE.fullmatch(mapping.container_port_range)
    first, last = (int(match["first"]), int(match["last"])) if match else (0, 0)
    if not 1 <= first < last <= 65535:
        raise ecs.ClientException("Invalid 'containerPortRange' setting.")
    return first, last


def _claim_name(names: set[str], name: str | None) -> None:
    if name is None:
        return
    if not _PORT_NAME.fullmatch(name):
        raise ecs.ClientException(
            "Invalid port mapping name: up to 64 lowercase letters, digits, '_' and '-', not starting with '-'."
        )
    if name in names:
        raise ecs.ClientException("port mapping name is already used")
    names.add(name)
