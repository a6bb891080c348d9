"""Every operation that is served has a row that says what it needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fakes.identity import ACCOUNT, Identities
from tidegate.server.authorization import TABLES
from tidegate.server.serve import services
from tidegate.wire.routing import Service


class Anything(SimpleNamespace):
    """Parts that no constructor looks into."""

    def __getattr__(self, name: str) -> Any:
        return Anything()


def served() -> list[Service]:
    found = Identities()
    control = Anything(store=found.store, sealer=found.sealer, account=ACCOUNT, sessions=found.sessions)
    house: Any = Anything(control=control, node=Anything(architecture="x86_64", runtime_name="crun"))
    return services(house)


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
