"""Fixtures for Secrets Manager's tests."""

from __future__ import annotations

import pytest

from fakes.parameters import SecretServices


@pytest.fixture
def bench() -> SecretServices:
    """No secrets yet."""
    return SecretServices()
