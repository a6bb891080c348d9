"""Fixtures for the Parameter Store's tests."""

from __future__ import annotations

import pytest

from fakes.parameters import SecretServices


@pytest.fixture
def bench() -> SecretServices:
    """An empty Parameter Store."""
    return SecretServices()
