"""Published ports as people write them, and as the task's tag has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

from tidegate.api import ecs
from tidegate.model.spec import Protocol

_FORM = re.compile(
    r"(?:(?P<address>\d{1,3}(?:\.\d{1,3}){3}):)?(?:(?P<host>\d{1,5}):)?(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp))?"
)
_HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the host that leads to one of the task. address None: loopback."""

    host: int
    container: int
    protocol: Protocol = "tcp"
    address: str | None = None

    @property
    def tag(self) -> str:
        """As `tidegate:publish` has it."""
        prefix = f"{self.address}:" if self.address else ""
        return f"{prefix}{self.host}:{self.container}/{self.protocol}"

    @property
    def where(self) -> str:
        """For people: what to open."""
        scheme = "http" if self.protocol == "tcp" else "udp"
        return f"{scheme}://{self.address or '127.0.0.1'}:{self.host}"

    def mapping(self) -> ecs.PortMapping:
        """For the task definition."""
        return ecs.PortMapping(container_port=self.container, protocol=self.protocol)


class PortType(click.ParamType[Port]):
    """`80`, `8080:80`, `127.0.0.1:8080:80/udp`."""

    name = "port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Port:
        """See click."""
        if isinstance(value, Port):
            return value
        match = _FORM.fullmatch(str(value))
        if match is None:
            self.fail(f"`{value}` is not [[ADDRESS:]HOST:]PORT[/udp], for example 8080:80", param, ctx)
        container = int(match["container"])
        host = int(match["host"] or container)
        if not (0 < container <= _HIGHEST and 0 < host <= _HIGHEST):
            self.fail(f"`{value}` has a port that is not between 1 and {_HIGHEST}", param, ctx)
        return Port(host, container, "udp" if match["protocol"] == "udp" else "tcp", match["address"])
