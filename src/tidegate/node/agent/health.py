"""
A container's health, from what its checks returned.

The rules are ECS's, which are Docker's: `retries` failures in a row make a container unhealthy, one success makes it
healthy; failures within the start period do not count until a first success has ended it.

One thing is ours: while a container has not been healthy yet it is also probed early, at growing pauses up to the
interval. An early probe that succeeds counts; one that fails does not. So a container is healthy as soon as it is
ready, and unhealthy no earlier than ECS would say so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import anyio

from tidegate.model.spec import HealthCheck
from tidegate.model.status import Health

FIRST_PROBE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class HealthState:
    """failures: in a row."""

    health: Health = "UNKNOWN"
    failures: int = 0
    has_succeeded: bool = False


def judge(check: HealthCheck, state: HealthState, *, is_success: bool, age_seconds: float) -> HealthState:
    """The state after a regular check that ended `age_seconds` after the container's start."""
    if is_success:
        return HealthState("HEALTHY", 0, has_succeeded=True)
    if age_seconds < check.start_period_seconds and not state.has_succeeded:
        return state
    failures = state.failures + 1
    return replace(state, failures=failures, health="UNHEALTHY" if failures >= check.retries else state.health)


def early_pauses(interval_seconds: float) -> Iterator[float]:
    """Pauses between early probes: they grow by half and end when a regular check is nearer."""
    pause, total = FIRST_PROBE_SECONDS, 0.0
    while total + pause < interval_seconds:
        yield pause
        total += pause
        pause *= 1.5


async def watch_health(
    check: HealthCheck,
    state: HealthState,
    probe: Callable[[], Awaitable[bool]],
    report: Callable[[HealthState], None],
    started_at: float,
    now: Callable[[], float],
) -> None:
    """
    Probe for ever; `report` is called when the health changes. `probe` keeps to the check's timeout itself.

    state: what is known from before, of a container that was found again.
    """
    pauses = early_pauses(check.interval_seconds)
    next_check = started_at + check.interval_seconds
    while True:
        pause = next(pauses, None) if state.health != "HEALTHY" else None
        is_early = pause is not None and now() + pause < next_check
        await anyio.sleep(pause if is_early and pause is not None else max(0.0, next_check - now()))
        is_success = await probe()
        if not is_early:
            next_check = now() + check.interval_seconds
        elif not is_success:
            continue
        before, state = state, judge(check, state, is_success=is_success, age_seconds=now() - started_at)
        if state.health != before.health:
            report(state)
