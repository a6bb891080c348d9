"""All services as the server puts them together, over a store in memory and parts that none of them looks into yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fakes.identity import ACCOUNT, Identities, task_roles
from tidegate.server.serve import services
from tidegate.wire.routing import Service


class Anything(SimpleNamespace):
    """Has every attribute."""

    def __getattr__(self, name: str) -> Any:
        return Anything()


def served() -> list[Service]:
    """Each with its API module and what implements it."""
    found = Identities()
    control = Anything(
        store=found.store,
        sealer=found.sealer,
        account=ACCOUNT,
        sessions=found.sessions,
        authorizer=found.authorizer,
        task_roles=task_roles(found.store, found.now),
    )
    house: Any = Anything(control=control, node=Anything(architecture="x86_64", runtime_name="crun"))
    return services(house)
