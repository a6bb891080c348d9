"""Capacity providers and strategies: which ones there are, and what a strategy means for a task."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tidegate.api import ecs

PROVIDERS = ("FARGATE", "FARGATE_SPOT")
"""What a cluster can be associated with; Tidegate owns both. FARGATE_SPOT is known, but runs nothing yet."""

MAX_ITEMS = 20
_NOT_ASSOCIATED = (
    "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the "
    "cluster."
)
_NO_SPOT = (
    "FARGATE_SPOT is not supported yet: there is no capacity that could be interrupted. Use the FARGATE capacity "
    "provider or launch type instead."
)

Strategy = tuple[ecs.CapacityProviderStrategyItem, ...]


def check_providers(names: Iterable[str]) -> tuple[str, ...]:
    """The names, if all of them exist; InvalidParameterException otherwise."""
    checked = tuple(names)
    if len(checked) > MAX_ITEMS or len(set(checked)) != len(checked):
        raise ecs.InvalidParameterException(f"A cluster can have at most {MAX_ITEMS} capacity providers, each once.")
    for name in checked:
        if name not in PROVIDERS:
            raise ecs.InvalidParameterException(f"The specified capacity provider {name} was not found.")
    return checked


def check_strategy(strategy: Strategy, associated: Collection[str]) -> Strategy:
    """The strategy, if a cluster with these providers can use it; InvalidParameterException otherwise."""
    if len(strategy) > MAX_ITEMS:
        raise ecs.InvalidParameterException(f"A capacity provider strategy can have at most {MAX_ITEMS} items.")
    names = [item.capacity_provider for item in strategy]
    if any(name not in associated for name in names):
        raise ecs.InvalidParameterException(_NOT_ASSOCIATED)
    if len(set(names)) != len(names):
        raise ecs.InvalidParameterException("A capacity provider strategy can name a capacity provider only once.")
    if sum(1 for item in strategy if item.base) > 1:
        raise ecs.InvalidParameterException("Only one capacity provider in a strategy can have a base defined.")
    return strategy


def choose_provider(strategy: Strategy) -> str:
    """
    The provider that runs the tasks; as only FARGATE runs any, all of them go to it.

    InvalidParameterException if the strategy gives no provider a share; ClientException if FARGATE_SPOT has one.
    """
    used = [item.capacity_provider for item in strategy if item.base or item.weight]
    if not used:
        raise ecs.InvalidParameterException(
            "At least one capacity provider in the strategy must have a weight or a base greater than 0."
        )
    if "FARGATE_SPOT" in used:
        raise ecs.ClientException(_NO_SPOT)
    return "FARGATE"
