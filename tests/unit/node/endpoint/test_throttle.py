"""How often a task may ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.node.endpoint.throttle import BURST, STEADY_PER_SECOND, Throttle


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from("abc")), max_size=200))
def test_never_more_than_the_rate(calls: list[tuple[float, str]]) -> None:
    """In any stretch of time a caller is admitted no more than the burst and what the rate gives beyond."""
    time = 0.0
    throttle = Throttle(lambda: time)
    admitted: dict[str, list[float]] = {}
    for pause, caller in calls:
        time += pause / 100
        if throttle.admit(caller):
            admitted.setdefault(caller, []).append(time)
    for times in admitted.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                limit = BURST + (times[last] - times[first]) * STEADY_PER_SECOND
                assert last - first + 1 <= limit + 1e-6


@given(st.integers(3000, 6000))
def test_callers_that_are_gone_are_forgotten(count: int) -> None:
    """However many addresses have ever called, what is kept of them is bounded."""
    time = 0.0
    throttle = Throttle(lambda: time)
    for number in range(count):
        time += 0.01
        assert throttle.admit(str(number))
    assert len(throttle._buckets) <= 2048


def test_a_patient_caller_is_never_refused() -> None:
    """At the steady rate, for as long as it likes."""
    time = 0.0
    throttle = Throttle(lambda: time)
    for _ in range(1000):
        time += 1 / STEADY_PER_SECOND + 1e-9
        assert throttle.admit("a")
