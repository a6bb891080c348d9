"""Fixtures for all tests."""

from __future__ import annotations

import pytest
import trio
import trio.testing


@pytest.fixture
def anyio_backend() -> object:
    """Tests run on trio with a clock that jumps: nobody waits for time to pass. Override it for real I/O."""
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})
