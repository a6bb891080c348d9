"""What EC2's describe operations share: look-up by id, filters, pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Generic, TypeVar

from tidegate.api import ec2
from tidegate.services.ec2.errors import Ec2Error
from tidegate.services.pages import BadToken, page

T = TypeVar("T")

DEFAULT_PAGE = 1000
MAX_FILTERS, MAX_VALUES = 50, 200

Values = Callable[[T], Iterable[object]]


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How one kind of resource is looked up: what is known of it by the names that filters have."""

    operation: str
    key: Callable[[T], str]
    fields: Mapping[str, Values[T]]
    tags: Callable[[T], Mapping[str, str]]
    missing: Callable[[str], Ec2Error]
    """The error for an id that names nothing."""


def describe(
    kind: Kind[T],
    items: Iterable[T],
    *,
    ids: Sequence[str] | None,
    filters: Sequence[ec2.Filter] | None,
    max_results: int | None,
    token: str | None,
) -> tuple[list[T], str | None]:
    """The items that ids and filters leave, a page of them, and the next page's token."""
    if ids and (max_results is not None or token):
        raise Ec2Error(
            "InvalidParameterCombination", "The parameter MaxResults cannot be used with the list of IDs in the request"
        )
    chosen = _by_id(kind, items, ids) if ids else list(items)
    for condition in _conditions(kind, filters or ()):
        chosen = [item for item in chosen if condition(item)]
    try:
        return page(chosen, kind.key, operation=kind.operation, token=token, size=max_results or DEFAULT_PAGE)
    except BadToken as error:
        raise Ec2Error(
            "InvalidParameterValue", "Invalid value for parameter nextToken: the token is invalid"
        ) from error


def text(value: object) -> str:
    """A value as filters compare it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _by_id(kind: Kind[T], items: Iterable[T], ids: Sequence[str]) -> list[T]:
    known = {kind.key(item): item for item in items}
    for each in ids:
        if each not in known:
            raise kind.missing(each)
    return [known[each] for each in dict.fromkeys(ids)]


def _conditions(kind: Kind[T], filters: Sequence[ec2.Filter]) -> Iterable[Callable[[T], bool]]:
    """One for each filter; all must hold. A filter's values are alternatives, with * and ? as wildcards."""
    if len(filters) > MAX_FILTERS:
        raise Ec2Error("FilterLimitExceeded", f"A request can have at most {MAX_FILTERS} filters")
    for each in filters:
        values = each.values or ()
        if len(values) > MAX_VALUES:
            raise Ec2Error("FilterLimitExceeded", f"A filter can have at most {MAX_VALUES} values")
        yield _condition(_field(kind, each.name or ""), _pattern(values))


def _condition(field: Values[T], pattern: re.Pattern[str]) -> Callable[[T], bool]:
    return lambda item: any(pattern.fullmatch(text(value)) for value in field(item) if value is not None)


def _field(kind: Kind[T], name: str) -> Values[T]:
    if name.startswith("tag:"):
        return lambda item: [value for key, value in kind.tags(item).items() if key == name[4:]]
    if name == "tag-key":
        return lambda item: list(kind.tags(item))
    if name not in kind.fields:
        raise Ec2Error("InvalidParameterValue", f"The filter '{name}' is invalid")
    return kind.fields[name]


def _pattern(values: Iterable[str]) -> re.Pattern[str]:
    # Square brackets mean nothing in EC2's filters, unlike in file names; runs of * would only cost time.
    plain = (re.sub(r"\*+", "*", value).replace("[", "[[]") for value in values)
    return re.compile("|".join(translate(value) for value in plain) or r"(?!)")
