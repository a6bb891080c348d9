"""
What makes a data channel reliable: numbers, acknowledgements, repetitions. Pure: told what arrives and what time it is.

Each direction counts from 0. A message is kept until it is acknowledged; the oldest one is sent again when the
acknowledgement is overdue, by the round trips seen so far. What arrives too early is acknowledged and kept until its
turn; what comes again is acknowledged again, as the acknowledgement may have been lost. What finds no room is dropped
without a word, so that it comes again. Source: session-manager-plugin and amazon-ssm-agent.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from tidegate.channel.message import Message

FIRST_TIMEOUT_SECONDS = 0.2
LONGEST_TIMEOUT_SECONDS = 1.0
MOST_TRIES = 3000
MOST_EARLY_MESSAGES = 10_000
MOST_EARLY_BYTES = 4 << 20
_ROUND_TRIP_SHARE = 1 / 8
_VARIATION_SHARE = 1 / 4
_CLOCK_SECONDS = 0.01


class GivenUp(Exception):
    """The other side does not acknowledge what it was sent."""


@dataclass(slots=True)
class _Sent:
    data: bytes
    size: int
    at: float
    tries: int = 1


class Outgoing:
    """
    One direction, at its sender. window_bytes: of payload that may be unacknowledged; a first message always fits.
    """

    def __init__(self, kind: str, window_bytes: int) -> None:
        self._kind = kind
        self._window_bytes = window_bytes
        self._next = 0
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._waiting_bytes = 0
        self._round_trip: float | None = None
        self._variation = 0.0

    @property
    def has_room(self) -> bool:
        """Another message may be sent."""
        return self._waiting_bytes < self._window_bytes

    @property
    def is_settled(self) -> bool:
        """All that was sent has been acknowledged."""
        return not self._sent

    @property
    def timeout_seconds(self) -> float:
        """How long an acknowledgement may take."""
        if self._round_trip is None:
            return FIRST_TIMEOUT_SECONDS
        return min(self._round_trip + max(_CLOCK_SECONDS, 4 * self._variation), LONGEST_TIMEOUT_SECONDS)

    def send(self, payload_type: int, payload: bytes, now: float) -> bytes:
        """The next message, to be sent now."""
        message = Message(self._kind, payload, payload_type, sequence=self._next, flags=1 if self._next == 0 else 0)
        data = message.encode()
        self._sent[self._next] = _Sent(data, len(payload), now)
        self._waiting_bytes += len(payload)
        self._next += 1
        return data

    def acknowledge(self, sequence: int, now: float) -> None:
        """A message has arrived; one that is not waited for is none of ours."""
        sent = self._sent.pop(sequence, None)
        if sent is None:
            return
        self._waiting_bytes -= sent.size
        if sent.tries == 1:  # of one sent twice nobody knows which of the two was acknowledged
            self._learn(now - sent.at)

    def overdue(self, now: float) -> bytes | None:
        """The oldest message, if it has to be sent again now. Raises GivenUp."""
        oldest = next(iter(self._sent.values()), None)
        if oldest is None or now < oldest.at + self.timeout_seconds:
            return None
        if oldest.tries >= MOST_TRIES:
            raise GivenUp(f"a message was sent {MOST_TRIES} times and never acknowledged")
        oldest.at = now
        oldest.tries += 1
        return oldest.data

    def _learn(self, took: float) -> None:
        if self._round_trip is None:
            self._round_trip, self._variation = took, took / 2
            return
        self._variation += (abs(took - self._round_trip) - self._variation) * _VARIATION_SHARE
        self._round_trip += (took - self._round_trip) * _ROUND_TRIP_SHARE


class Incoming:
    """The other direction, at its receiver."""

    def __init__(self) -> None:
        self._expected = 0
        self._early: dict[int, Message] = {}
        self._early_bytes = 0

    def arrived(self, message: Message, *, has_room: bool = True) -> tuple[bool, list[Message]]:
        """
        (is to be acknowledged, what can be handed on now, in order).

        has_room: there is room for what would be handed on.
        """
        if message.sequence < self._expected:
            return message.sequence >= 0, []
        if message.sequence > self._expected:
            return self._keep(message), []
        if not has_room:
            return False, []
        ready = [message]
        self._expected += 1
        while (early := self._early.pop(self._expected, None)) is not None:
            self._early_bytes -= len(early.payload)
            ready.append(early)
            self._expected += 1
        return True, ready

    def _keep(self, message: Message) -> bool:
        if message.sequence in self._early:
            return True
        size = len(message.payload)
        if len(self._early) >= MOST_EARLY_MESSAGES or self._early_bytes + size > MOST_EARLY_BYTES:
            return False
        self._early[message.sequence] = message
        self._early_bytes += size
        return True
