"""
Patterns of the policy language: `*` and `?`, and variables such as ${aws:username}.

A pattern is compiled to a regular expression of atomic groups: each piece between two stars is found at the first
place where it stands, and is not looked for again. So a match takes at most length of text x length of pattern steps,
whatever the pattern. What a variable stands for is text, not pattern: a star in a user's name matches a star.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

Value = str | tuple[str, ...]
Context = Mapping[str, Value]
"""What is known of a request, by condition key in lower case; a tuple where a key has several values."""

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_DEFAULT = re.compile(r"\s*(?P<name>[^,]*?)\s*,\s*'(?P<default>[^']*)'\s*")
_LITERALS = frozenset("*?$")


class Wildcard(Enum):
    """What may stand for other characters."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """A condition key whose value stands here; without one the pattern matches nothing."""

    key: str
    default: str | None = None

    def resolve(self, context: Context) -> str | None:
        """Its value; a key of several values has none that could stand here."""
        found = context.get(self.key)
        if isinstance(found, tuple):
            found = found[0] if len(found) == 1 else None
        return self.default if found is None else found


Piece = str | Wildcard | Variable
"""A str stands for itself."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One value of an Action, Resource or Condition element. Build it with `compile_pattern`."""

    pieces: tuple[Piece, ...]
    exact: str | None
    """The one text that it matches, where there are neither wildcards nor variables."""
    expression: re.Pattern[str] | None
    """Where there are no variables."""

    def matches(self, text: str, context: Context) -> bool:
        """Case-sensitive, over the whole text."""
        if self.exact is not None:
            return text == self.exact
        if self.expression is not None:
            return self.expression.fullmatch(text) is not None
        resolved = self._resolve(context)
        return resolved is not None and _expression(_source(resolved)).fullmatch(text) is not None

    def text(self, context: Context) -> str | None:
        """What it stands for with its variables resolved; None if one has no value. Wildcards show as they are."""
        resolved = self._resolve(context)
        if resolved is None:
            return None
        return "".join(piece if isinstance(piece, str) else piece.value for piece in resolved)

    def _resolve(self, context: Context) -> list[str | Wildcard] | None:
        found: list[str | Wildcard] = []
        for piece in self.pieces:
            value = piece.resolve(context) if isinstance(piece, Variable) else piece
            if value is None:
                return None
            found.append(value)
        return found


def compile_pattern(text: str, *, has_wildcards: bool = True, has_variables: bool = True) -> Pattern:
    """`has_variables`: documents of the version 2008-10-17 have none."""
    pieces = tuple(_pieces(text, has_wildcards, has_variables))
    if any(isinstance(piece, Variable) for piece in pieces):
        return Pattern(pieces, None, None)
    fixed = [piece for piece in pieces if not isinstance(piece, Variable)]
    if all(isinstance(piece, str) for piece in fixed):
        return Pattern(pieces, "".join(str(piece) for piece in fixed), None)
    return Pattern(pieces, None, _expression(_source(fixed)))


def _pieces(text: str, has_wildcards: bool, has_variables: bool) -> Iterable[Piece]:
    at = 0
    for match in _VARIABLE.finditer(text) if has_variables else ():
        yield from _plain_pieces(text[at : match.start()], has_wildcards)
        yield match[1] if match[1] in _LITERALS else _variable(match[1])
        at = match.end()
    yield from _plain_pieces(text[at:], has_wildcards)


def _plain_pieces(text: str, has_wildcards: bool) -> Iterable[Piece]:
    for part in re.split(r"([*?])", text) if has_wildcards else (text,):
        if has_wildcards and part in ("*", "?"):
            yield Wildcard(part)
        elif part:
            yield part


def _variable(inside: str) -> Variable:
    match = _DEFAULT.fullmatch(inside)
    if match is not None:
        return Variable(match["name"].lower(), match["default"])
    return Variable(inside.strip().lower())


def _source(pieces: Iterable[str | Wildcard]) -> str:
    """The regular expression: what is before the first star, what is between two, what is after the last."""
    parts = [""]
    for piece in pieces:
        match piece:
            case Wildcard.ANY:
                parts.append("")
            case Wildcard.ONE:
                parts[-1] += "."
            case _:
                parts[-1] += re.escape(piece)
    head, *rest = parts
    if not rest:
        return head
    *middle, tail = rest
    return head + "".join(f"(?>.*?{part})" for part in middle if part) + ".*" + tail


@lru_cache(maxsize=1024)
def _expression(source: str) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL)
