"""
One line a request; of strangers' refusals only so many, so that who can send many can't fill the disk with lines.

What a caller that is known is refused is always told. What was left out is told as a number, with the next line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger()

STRANGERS_A_SECOND = 10
STRANGERS_AT_ONCE = 100


class RequestLog:
    """tells_successes: lines for requests that went well too."""

    def __init__(self, *, tells_successes: bool, now: Callable[[], float] = time.monotonic) -> None:
        self._tells_successes = tells_successes
        self._now = now
        self._allowed = float(STRANGERS_AT_ONCE)
        self._at = now()
        self._left_out = 0

    def tell(self, *, status: int, principal: str, **more: Any) -> None:
        """The line of a request that was answered. principal: empty for somebody who was not let in."""
        if status < 400 and not self._tells_successes:
            return
        if not principal:
            if not self._may_tell():
                self._left_out += 1
                return
            if self._left_out:
                log.warning("requests of strangers were refused without a line each", count=self._left_out)
                self._left_out = 0
        log.info("request", status=status, principal=principal, **more)

    def _may_tell(self) -> bool:
        now = self._now()
        self._allowed = min(STRANGERS_AT_ONCE, self._allowed + (now - self._at) * STRANGERS_A_SECOND)
        self._at = now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True
