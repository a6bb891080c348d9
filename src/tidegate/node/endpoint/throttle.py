"""How often one task may ask: 40 requests a second, 60 at once, as ECS's agent has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STEADY_PER_SECOND = 40.0
BURST = 60.0
_MOST_BUCKETS = 2048


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Throttle:
    """A token bucket for each address. now: seconds on a clock that does not jump."""

    def __init__(self, now: Callable[[], float], per_second: float = STEADY_PER_SECOND, burst: float = BURST) -> None:
        self._now = now
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, address: str) -> bool:
        """Count a request; False if it is one too many."""
        now = self._now()
        bucket = self._buckets.get(address)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[address] = _Bucket(self._burst, now)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    def _make_room(self, now: float) -> None:
        """A bucket that has filled up again says nothing that a new one would not."""
        if len(self._buckets) < _MOST_BUCKETS:
            return
        fill_seconds = self._burst / self._per_second
        self._buckets = {a: b for a, b in self._buckets.items() if now - b.at < fill_seconds}
