"""Every operation that is served has a row that says what it needs."""

from __future__ import annotations

import pytest

from fakes.wired import served
from tidegate.server.authorization import TABLES
from tidegate.wire.routing import Service


@pytest.mark.parametrize("service", served(), ids=lambda service: service.api.SERVICE)
def test_every_operation_has_a_row(service: Service) -> None:
    """Whoever adds an operation says what it needs; without a row the root alone could use it."""
    rows = TABLES[service.api.SERVICE].rows
    assert [name for name in service.operations if name not in rows] == []


def test_no_row_is_about_nothing() -> None:
    """Rows go with their operations."""
    known = {service.api.SERVICE: set(service.operations) | service.api.UNSERVED for service in served()}
    for name, table in TABLES.items():
        assert set(table.rows) - known[name] == set()
