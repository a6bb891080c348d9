"""Fixtures for the services' tests."""

from __future__ import annotations

import pytest

from fakes.services import Services


@pytest.fixture
async def services() -> Services:
    """An account with a default network and the definition `app`, one container called `web`."""
    found = await Services().open()
    await found.register()
    return found
