"""Published ports: each is held by a socket of ours, so that a conflict is found when it arises and not by traffic."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from tidegate.model.spec import PublishedPort
from tidegate.node.network.network import NetworkFailure, PortInUse

_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class ReservedPorts:
    """Sockets that are bound and never used: the packet filter leads the traffic past them to the task."""

    def __init__(self, published: Sequence[PublishedPort]) -> None:
        """Raises PortInUse, or NetworkFailure for an address that is not this host's; nothing is held then."""
        self._sockets: list[socket.socket] = []
        try:
            for port in published:
                self._sockets.append(_reserve(port))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Idempotent."""
        for held in self._sockets:
            held.close()
        self._sockets.clear()


def _reserve(port: PublishedPort) -> socket.socket:
    where = f"{port.host_address}:{port.host_port}/{port.protocol}"
    if not (0 < port.host_port < 65536 and 0 < port.container_port < 65536):
        raise NetworkFailure(f"cannot publish {where} to port {port.container_port}: ports are 1-65535")
    try:
        held = socket.socket(socket.AF_INET, _KINDS[port.protocol] | socket.SOCK_CLOEXEC)
    except KeyError:
        raise NetworkFailure(f"cannot publish {where}: the protocol is neither tcp nor udp") from None
    try:
        held.bind((socket.inet_ntoa(socket.inet_aton(port.host_address)), port.host_port))
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"cannot publish {where}: the port is in use") from error
        raise NetworkFailure(f"cannot publish {where}: {error.strerror or error}") from error
    return held
