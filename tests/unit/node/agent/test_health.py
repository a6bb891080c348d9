"""A container's health, from what its checks returned."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.spec import HealthCheck
from tidegate.node.agent.health import HealthState, early_pauses, judge

CHECK = HealthCheck(command=("true",), retries=3, start_period_seconds=10)


def after(*results: bool, age_seconds: float = 100) -> HealthState:
    state = HealthState()
    for is_success in results:
        state = judge(CHECK, state, is_success=is_success, age_seconds=age_seconds)
    return state


def test_retries():
    """Three failures in a row make a container unhealthy; a success in between starts the count anew."""
    assert after(False, False).health == "UNKNOWN"
    assert after(False, False, False).health == "UNHEALTHY"
    assert after(True, False, False, True, False, False).health == "HEALTHY"
    assert after(False, False, False, True).health == "HEALTHY"


def test_start_period():
    """Failures in the start period do not count, until a success has ended it."""
    assert after(False, False, False, age_seconds=5).health == "UNKNOWN"
    assert after(True, False, False, False, age_seconds=5).health == "UNHEALTHY"


@given(st.lists(st.booleans(), max_size=30))
def test_unhealthy_needs_a_row_of_failures(results: list[bool]):
    """A container is UNHEALTHY if and only if its last `retries` checks have failed since the last success."""
    state = after(*results)
    assert (state.health == "UNHEALTHY") == (len(results) >= 3 and not any(results[-3:]))


@given(st.floats(5, 300))
def test_early_probes_end_before_the_first_check(interval: float):
    """Early probes grow apart and are over when the first regular check is due; there are few of them."""
    pauses = list(early_pauses(interval))

    assert pauses == sorted(pauses)
    assert all(at < interval for at in accumulate(pauses))
    assert len(pauses) < 20
