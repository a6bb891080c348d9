"""Rules that several operations share for their inputs: sizes of lists and of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from tidegate.api import ecs
from tidegate.services.pages import BadToken, page

T = TypeVar("T")

MAX_DESCRIBED = 100
MAX_RESULTS = 100


def check_described(what: str, identifiers: tuple[str, ...] | None) -> None:
    """A describe call names at most 100."""
    if identifiers and len(identifiers) > MAX_DESCRIBED:
        raise ecs.InvalidParameterException(f"{what} can have at most {MAX_DESCRIBED} items.")


def list_page(
    items: Iterable[T],
    key: Callable[[T], str],
    *,
    operation: str,
    token: str | None,
    max_results: int | None,
    largest: int = MAX_RESULTS,
) -> tuple[list[T], str | None]:
    """A page as ECS's list operations give it: 1 to `largest` items, by default the largest page."""
    size = largest if max_results is None else max_results
    if not 1 <= size <= largest:
        raise ecs.InvalidParameterException(f"maxResults must be between 1 and {largest}.")
    try:
        return page(items, key, operation=operation, token=token, size=size)
    except BadToken as error:
        raise ecs.InvalidParameterException("Invalid token.") from error
