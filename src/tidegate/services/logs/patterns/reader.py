"""Reads the text of a filter pattern, and conditions joined by && and ||, which two of its forms share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
Predicate = Callable[[T], bool]

MAX_DEPTH: Final = 50
"""Of parentheses; a pattern has at most 1,024 characters."""
_SPACE: Final = re.compile(r"\s*")


class InvalidPattern(Exception):
    """The text is no filter pattern; the message says why, `told` is all that AWS says."""

    def __init__(self, why: str, told: str = "Invalid filter pattern") -> None:
        super().__init__(why)
        self.told = told


class PatternReader:
    """A place in a text. What it looks for may have white space before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self.regexes = 0
        """How many regular expressions were read."""

    @property
    def is_done(self) -> bool:
        """Nothing is left but white space."""
        self.skip_space()
        return self._position == len(self._text)

    @property
    def is_between(self) -> bool:
        """A word ends here: white space comes next, or nothing."""
        return self._text[self._position : self._position + 1].strip() == ""

    def skip_space(self) -> None:
        """Go behind white space."""
        found = _SPACE.match(self._text, self._position)
        self._position = found.end() if found else self._position

    def find(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What the pattern matches here, white space aside; then the place is behind it."""
        self.skip_space()
        found = pattern.match(self._text, self._position)
        if found is not None:
            self._position = found.end()
        return found

    def get(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """The same, or InvalidPattern: `what` was expected."""
        found = self.find(pattern)
        if found is None:
            raise self.problem(what)
        return found

    def take(self, word: str) -> bool:
        """Go behind `word`, if it is what comes now."""
        self.skip_space()
        is_here = self._text.startswith(word, self._position)
        self._position += len(word) if is_here else 0
        return is_here

    def problem(self, what: str) -> InvalidPattern:
        """`what` was expected here."""
        rest = self._text[self._position : self._position + 40]
        return InvalidPattern(f"expected {what} at {rest!r}" if rest else f"expected {what} at its end")


def read_condition(
    reader: PatternReader, read_leaf: Callable[[PatternReader], Predicate[T]], depth: int = 0
) -> Predicate[T]:
    """Leaves joined by ||, and && which binds stronger, with parentheses. Raises InvalidPattern."""
    alternatives = [_read_all(reader, read_leaf, depth)]
    while reader.take("||"):
        alternatives.append(_read_all(reader, read_leaf, depth))
    if len(alternatives) == 1:
        return alternatives[0]
    return lambda value: any(alternative(value) for alternative in alternatives)


def _read_all(reader: PatternReader, read_leaf: Callable[[PatternReader], Predicate[T]], depth: int) -> Predicate[T]:
    parts = [_read_part(reader, read_leaf, depth)]
    while reader.take("&&"):
        parts.append(_read_part(reader, read_leaf, depth))
    return parts[0] if len(parts) == 1 else lambda value: all(part(value) for part in parts)


def _read_part(reader: PatternReader, read_leaf: Callable[[PatternReader], Predicate[T]], depth: int) -> Predicate[T]:
    if not reader.take("("):
        return read_leaf(reader)
    if depth == MAX_DEPTH:
        raise InvalidPattern(f"more than {MAX_DEPTH} parentheses are open")
    inner = read_condition(reader, read_leaf, depth + 1)
    if not reader.take(")"):
        raise reader.problem("`)`, `&&` or `||`")
    return inner
