"""The forms of a filter pattern, told apart by how its text begins."""

from __future__ import annotations

from typing import Protocol

from tidegate.services.logs.patterns.document import DocumentPattern
from tidegate.services.logs.patterns.fields import FieldsPattern
from tidegate.services.logs.patterns.reader import InvalidPattern
from tidegate.services.logs.patterns.regex import compile_regex
from tidegate.services.logs.patterns.terms import TermsPattern


class Pattern(Protocol):
    """A filter pattern, read."""

    def matches(self, message: str) -> bool:
        """The event matches. Takes time linear in the message's length."""

    def extract(self, message: str) -> dict[str, str]:
        """The named values of a message that matches, as TestMetricFilter shows them."""


class RegexPattern:
    """The whole pattern is one regular expression: `%[45][0-9]{2}%`. Raises InvalidPattern."""

    def __init__(self, expression: str) -> None:
        self._is_in = compile_regex(expression)

    def matches(self, message: str) -> bool:
        """See Pattern."""
        return self._is_in(message)

    def extract(self, message: str) -> dict[str, str]:
        """Nothing: there are no groups."""
        return {}


def read_pattern(text: str | None) -> Pattern:
    """The pattern that a text is; none matches everything. Raises InvalidPattern."""
    pattern = (text or "").strip()
    if pattern.startswith("{"):
        return DocumentPattern(_inner(pattern, "}"))
    if pattern.startswith("["):
        return FieldsPattern(_inner(pattern, "]"))
    if pattern.startswith("%"):
        return RegexPattern(_inner(pattern, "%"))
    return TermsPattern(pattern)


def _inner(pattern: str, closing: str) -> str:
    if len(pattern) < 2 or not pattern.endswith(closing):
        why = f"If a filter pattern starts with '{pattern[0]}' it must end with '{closing}'"
        raise InvalidPattern(why, why)
    return pattern[1:-1]
