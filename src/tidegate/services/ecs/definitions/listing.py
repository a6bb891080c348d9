"""
Order and pages of the list operations.

A token says where the last page ended, so pages stay right while definitions come and go between two calls.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from tidegate.api import ecs
from tidegate.model.task import TaskDefinition

MAX_RESULTS = 100

Position = tuple[str, int]
"""Family and revision; of a family alone, the revision is 0."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the positions asked for, and the token for the next ones (None: there are no more)."""

    positions: tuple[Position, ...]
    next_token: str | None


def take_page(
    positions: Iterable[Position], *, token: str | None, max_results: int | None, descending: bool = False
) -> Page:
    """
    One page in order of family, then revision; `descending` reverses both.

    max_results: 1-100, default 100. Raises InvalidParameterException.
    """
    limit = MAX_RESULTS if max_results is None else max_results
    if not 1 <= limit <= MAX_RESULTS:
        raise ecs.InvalidParameterException(f"maxResults must be between 1 and {MAX_RESULTS}.")
    after = None if token is None else _read(token)
    ordered = sorted(positions, reverse=descending)
    if after is not None:
        ordered = [each for each in ordered if (each < after if descending else each > after)]
    taken = tuple(ordered[:limit])
    return Page(taken, _write(taken[-1]) if len(ordered) > limit else None)


def select_definitions(
    definitions: Iterable[TaskDefinition], *, family: str | None, status: str | None
) -> list[Position]:
    """ListTaskDefinitions' filters: `family` is a whole name, `status` is ACTIVE unless given."""
    return [
        (each.family, each.number)
        for each in definitions
        if (family is None or each.family == family) and each.spec.status == (status or "ACTIVE")
    ]


def select_families(definitions: Iterable[TaskDefinition], *, prefix: str | None, status: str | None) -> list[Position]:
    """ListTaskDefinitionFamilies' filters: `prefix` is a true prefix, INACTIVE is the families without any ACTIVE."""
    everything = set()
    active = set()
    for each in definitions:
        if each.family.startswith(prefix or ""):
            everything.add((each.family, 0))
            if each.spec.status == "ACTIVE":
                active.add((each.family, 0))
    chosen = {"ACTIVE": active, "INACTIVE": everything - active}.get(status or "ALL", everything)
    return list(chosen)


def _write(position: Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode()


def _read(token: str) -> Position:
    try:
        family, number = msgspec.json.decode(base64.urlsafe_b64decode(token.encode()), type=tuple[str, int])
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise ecs.InvalidParameterException("Invalid token.") from error
    return family, number
