"""Finding task definitions in the store by what a caller calls them."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.task import Family, Task, TaskDefinition
from tidegate.services.ecs import names
from tidegate.store.store import Store


def find(store: Store, identifier: str, ctx: Context | None = None) -> TaskDefinition | None:
    """
    The revision that `family:revision` or an ARN names, whatever its status; for `family` its latest ACTIVE one.

    Raises InvalidParameterException if the identifier is malformed, or with `ctx` of another account or region.
    """
    family, number = names.parse_task_definition(identifier, ctx)
    if number is not None:
        return store.get(TaskDefinition, f"{family}:{number}")
    return _find_latest_active(store, family)


def resolve(store: Store, identifier: str, ctx: Context | None = None) -> TaskDefinition:
    """
    The ACTIVE revision to run.

    Raises ClientException if there is none, InvalidParameterException if it is INACTIVE or about to be deleted.
    """
    definition = find(store, identifier, ctx)
    if definition is None:
        raise ecs.ClientException("TaskDefinition not found.")
    if definition.spec.status != "ACTIVE":
        raise ecs.InvalidParameterException("TaskDefinition is inactive")
    return definition


def find_used(store: Store) -> frozenset[str]:
    """The keys of all revisions that a task refers to, stopped tasks that are still kept included."""
    return frozenset(task.definition for task in store.select(Task))


def _find_latest_active(store: Store, name: str) -> TaskDefinition | None:
    family = store.get(Family, name)
    # Downwards from the newest: nearly always the first is ACTIVE, and a family can have many thousands.
    for number in range(family.latest if family else 0, 0, -1):
        definition = store.get(TaskDefinition, f"{name}:{number}")
        if definition is not None and definition.spec.status == "ACTIVE":
            return definition
    return None
