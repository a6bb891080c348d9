"""What the things of one server are called on the host: several servers share it and never touch each other's."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.node.network.network import NetworkFailure

BRIDGE_PREFIX = "tg-"
ENDPOINT_ADDRESS = "169.254.170.2"
"""Where AWS's clients look for metadata and credentials inside a task."""
ENDPOINT_PORT = 80
API_PORT = 4566
"""Of the endpoint's address: where tasks find the server's API, where they may."""
_INSTANCE = re.compile(r"[0-9a-f]{8}")
_TASK = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Names:
    """instance: eight lower-case hex digits, unique on the host."""

    instance: str

    def __post_init__(self) -> None:
        if not _INSTANCE.fullmatch(self.instance):
            raise ValueError(f"cannot name a network after {self.instance!r}: not eight hex digits")

    @property
    def bridge(self) -> str:
        return BRIDGE_PREFIX + self.instance

    @property
    def bridge_mac(self) -> str:
        """Fixed, so that tasks can know it before they ask."""
        digits = "0200" + self.instance
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))

    @property
    def endpoint(self) -> str:
        """The port of the bridge behind which the endpoint is."""
        return "e" + self.instance

    @property
    def endpoint_mac(self) -> str:
        """Fixed as well: tasks know it before they ask, and still do after a restart."""
        digits = "0201" + self.instance
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))

    @property
    def table(self) -> str:
        """Of nftables; also the comment on rules in the host's own firewall."""
        return f"tidegate_{self.instance}"

    @property
    def port_prefix(self) -> str:
        return "t" + self.instance

    def port(self, number: int) -> str:
        """
        A port of the bridge (the host's end of a veth), at most 15 characters.

        Numbered and not named after a task: a port in the pool exists before its task does.
        """
        return f"{self.port_prefix}{number & 0xFFFFFF:06x}"


def check_task(task: str) -> str:
    """The task's id again, if it is fit to be a file's name. Raises NetworkFailure."""
    if not _TASK.fullmatch(task):
        raise NetworkFailure(f"cannot use {task!r} as a task's id: not letters, digits, - and _")
    return task
