"""
Filters of ListSecrets and BatchGetSecretValue: each has to match, by one of its values; `!` turns a value round.

Source: API reference, Filter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from tidegate.api import secretsmanager as api
from tidegate.model.secret import Secret

Predicate = Callable[[Secret], bool]

_WORDS = re.compile(r"[\s/_+=.@!\-]+")


def plan_filters(filters: Sequence[api.Filter] | None, region: str) -> Predicate:
    """One predicate for all of them. Raises InvalidParameterException."""
    planned = [_plan(one, region) for one in filters or ()]
    return lambda secret: all(predicate(secret) for predicate in planned)


def _plan(one: api.Filter, region: str) -> Predicate:
    if one.key is None or not one.values:
        raise api.InvalidParameterException("You must specify both the Key and the Values of a filter.")
    key = one.key
    tests = [_value(key, value, region) for value in one.values]
    return lambda secret: any(test(secret) for test in tests)


def _value(key: str, value: str, region: str) -> Predicate:
    is_negated, wanted = value.startswith("!"), value.removeprefix("!")

    def matches(secret: Secret) -> bool:
        return _matches(key, wanted, secret, region) != is_negated

    return matches


def _matches(key: str, wanted: str, secret: Secret, region: str) -> bool:
    """Names and tags by how they begin, with regard to case; descriptions by how their words do, without."""
    match key:
        case "name":
            return secret.name.startswith(wanted)
        case "tag-key":
            return any(tag.startswith(wanted) for tag in secret.tags)
        case "tag-value":
            return any(value.startswith(wanted) for value in secret.tags.values())
        case "description":
            return _has_words((secret.description,), wanted)
        case "primary-region":
            return region.startswith(wanted)
        case "owning-service":
            return False
    return _has_words((secret.name, secret.description, *secret.tags, *secret.tags.values()), wanted)


def _has_words(texts: Iterable[str], wanted: str) -> bool:
    there = [word for text in texts for word in _WORDS.split(text.lower())]
    return all(any(word.startswith(part) for word in there) for part in _WORDS.split(wanted.lower()))
