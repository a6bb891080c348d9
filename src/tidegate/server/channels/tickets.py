"""
Sessions that may be begun: who asked the API for one gets a ticket, and shows it on the data channel.

A ticket is good for one connection within a minute, and is kept as a digest alone. Tickets are in memory: one that was
given by a server that was killed is good for nothing, and its owner asks again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol

TICKET_SECONDS = 60.0
MOST_TICKETS = 4096
"""That were given and not used yet."""
_ID_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 17


class Target(Protocol):
    """What a session is for."""

    KIND: ClassVar[str]
    """Begins the session's id; each kind has limits of its own."""
    MOST_OF_A_TASK: ClassVar[int]
    MOST: ClassVar[int]
    """Sessions at once, of one task and of all."""

    @property
    def task(self) -> str:
        """The task's id."""


class TooMany(Exception):
    """No more sessions now; the message says of what."""


class Refused(Exception):
    """The ticket is good for nothing."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What its owner is told."""

    session: str
    token: str


@dataclass(frozen=True, slots=True)
class _Given:
    target: Target
    digest: bytes
    expires_at: float


class Tickets:
    """now: seconds on any clock that does not jump."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._given: dict[str, _Given] = {}
        self._running: Counter[tuple[str, str]] = Counter()

    def give(self, target: Target) -> Ticket:
        """Raises TooMany."""
        self._drop_expired()
        if len(self._given) >= MOST_TICKETS:
            raise TooMany(f"cannot begin a session: {MOST_TICKETS} are about to begin")
        self._check(target)
        name = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
        session, token = f"{target.KIND}-{name}", secrets.token_urlsafe(48)
        self._given[session] = _Given(target, _digest(token), self._now() + TICKET_SECONDS)
        return Ticket(session, token)

    def is_given(self, session: str) -> bool:
        """A ticket of this session is out: whoever names it may say more."""
        self._drop_expired()
        return session in self._given

    @contextmanager
    def use(self, session: str, token: str) -> Iterator[Target]:
        """
        The session runs inside. Raises Refused, TooMany.

        A wrong token spoils the ticket: nobody but its owner knows the session's name, so there is no second guess.
        """
        self._drop_expired()
        given = self._given.pop(session, None)
        expected = given.digest if given is not None else _digest("")
        if not hmac.compare_digest(_digest(token), expected) or given is None:
            raise Refused("the token is not that of a session that may begin")
        self._check(given.target)
        keys = (given.target.KIND, given.target.task), (given.target.KIND, "")
        self._running.update(keys)
        try:
            yield given.target
        finally:
            self._running.subtract(keys)
            for key in keys:
                if not self._running[key]:
                    del self._running[key]

    def _check(self, target: Target) -> None:
        if self._running[target.KIND, target.task] >= target.MOST_OF_A_TASK:
            raise TooMany(f"cannot begin a session: the task has {target.MOST_OF_A_TASK} of this kind")
        if self._running[target.KIND, ""] >= target.MOST:
            raise TooMany(f"cannot begin a session: the server has {target.MOST} of this kind")

    def _drop_expired(self) -> None:
        """Those given first expire first."""
        now = self._now()
        while self._given:
            session, given = next(iter(self._given.items()))
            if given.expires_at > now:
                return
            del self._given[session]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
