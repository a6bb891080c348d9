"""What the kernel says of its clock."""

from __future__ import annotations

from tidegate.kernel.clock import read_clock


def test_the_kernels_own_bound() -> None:
    """It is within what adjtimex(2) has: sixteen seconds at most, and that much only when nobody keeps it right."""
    state = read_clock()
    assert 0 <= state.bound_milliseconds <= 16_000
    assert state.is_synchronized or state.bound_milliseconds > 0
