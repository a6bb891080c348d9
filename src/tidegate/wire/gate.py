"""
How many connections there may be, and how long each may take.

A client that opens connections and sends nothing, or sends or reads a byte at a time, holds no place that another
needs: every stage of a request has its deadline, and where all places are taken the connection that has sent
nothing for longest makes room. So a newcomer is let in as long as one of the others is idle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the server's connections. A handler may take as long as it takes: only the client's side has deadlines."""

    most: int = 1024
    most_of_one_address: int = 512
    head_seconds: float = 10
    """From the first byte, or from connecting, to the end of the headers."""
    body_seconds: float = 60
    """From the end of the headers to the end of the body."""
    stall_seconds: float = 30
    """For a client that does not read what it is sent."""
    linger_seconds: float = 2
    """For the last bytes of a connection that is being closed, and for what follows a refused body."""
    head_bytes: int = 64 * 1024
    headers: int = 100
    most_pipelined: int = 16


class Guest(Protocol):
    """A connection, as the gate sees it."""

    @property
    def address(self) -> str: ...
    @property
    def is_waiting(self) -> bool:
        """Nothing is asked of the server: no request is complete, or none has begun."""

    @property
    def waits_since(self) -> float: ...
    def abort(self) -> None: ...
    def check(self, now: float) -> None:
        """End itself if it is late."""


class Gate:
    """All connections of a server, in the order in which they came."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._guests: dict[Guest, None] = {}
        self._of_address: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: Guest) -> bool:
        """Whether the newcomer may stay; somebody who waits may have to go for it."""
        limits, address = self.limits, guest.address
        if self._of_address.get(address, 0) >= limits.most_of_one_address and not self._make_room(address):
            return False
        if len(self._guests) >= limits.most and not self._make_room(None):
            return False
        self._guests[guest] = None
        self._of_address[address] = self._of_address.get(address, 0) + 1
        return True

    def leave(self, guest: Guest) -> None:
        """When the connection has ended, or belongs to another protocol."""
        if guest not in self._guests:
            return
        del self._guests[guest]
        left = self._of_address[guest.address] - 1
        if left:
            self._of_address[guest.address] = left
        else:
            del self._of_address[guest.address]

    def check_all(self, now: float) -> None:
        """Let everybody who is late go. now: the event loop's time."""
        for guest in tuple(self._guests):
            guest.check(now)

    def _make_room(self, address: str | None) -> bool:
        waiting = (g for g in self._guests if g.is_waiting and (address is None or g.address == address))
        longest = min(waiting, key=lambda g: g.waits_since, default=None)
        if longest is None:
            return False
        self.leave(longest)
        longest.abort()
        return True
