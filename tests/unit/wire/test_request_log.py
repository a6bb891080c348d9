"""How many lines strangers get."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from tidegate.wire.request_log import STRANGERS_A_SECOND, STRANGERS_AT_ONCE, RequestLog


class Clock:
    """Set `now` to let time pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def refuse(log: RequestLog, count: int, principal: str = "") -> list[dict[str, Any]]:
    with capture_logs() as lines:
        for _ in range(count):
            log.tell(status=403, principal=principal, service="ecs")
    return [dict(line) for line in lines]


def test_strangers_have_a_share() -> None:
    """A hundred at once, ten a second after that; what was left out is counted and told."""
    clock = Clock()
    log = RequestLog(tells_successes=False, now=clock)
    assert len(refuse(log, 1000)) == STRANGERS_AT_ONCE
    clock.now = 1.0
    warning, *lines = refuse(log, 1000)
    assert (warning["log_level"], warning["count"]) == ("warning", 1000 - STRANGERS_AT_ONCE)
    assert len(lines) == STRANGERS_A_SECOND


def test_who_is_known_is_always_told_of() -> None:
    """Whatever strangers do."""
    log = RequestLog(tells_successes=False, now=Clock())
    refuse(log, 1000)
    assert len(refuse(log, 300, "arn:aws:iam::123456789012:user/me")) == 300


def test_successes_are_told_where_they_are_asked_for() -> None:
    """With --verbose."""
    for is_told in (True, False):
        log = RequestLog(tells_successes=is_told, now=Clock())
        with capture_logs() as lines:
            log.tell(status=200, principal="arn", service="ecs")
        assert bool(lines) is is_told
