"""An account that boto3 talks to; the tests of a module share it and don't depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakes.cloud import Cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    found = Cloud().start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def iam(cloud: Cloud) -> Any:
    """As the root."""
    return cloud.client("iam")
