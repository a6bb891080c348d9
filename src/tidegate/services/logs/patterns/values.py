"""
Comparisons of a value with what a pattern says: numbers, texts with a wildcard at either end, regular expressions.

    400  +1.5  -2e-3      a number: compares with any operator
    "text"  text  4*      a text, which has quotes unless it is letters, digits and _ . : / * - +
    %regex%               a regular expression; like texts it goes with = and != only
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Final

from tidegate.services.logs.patterns.reader import InvalidPattern, PatternReader
from tidegate.services.logs.patterns.regex import find_regex

Value = str | int | float
Test = Callable[[Value], bool]

QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_OPERATOR: Final = re.compile(r"!=|<=|>=|=|<|>")
_NUMBER: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.:/*+-])")
_WORD: Final = re.compile(r"[\w.:/*+-]+")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_LONGEST_NUMBER: Final = 100
_COMPARES: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def read_comparison(reader: PatternReader) -> Test:
    """An operator and what it compares with. Raises InvalidPattern."""
    sign = reader.get(_OPERATOR, "one of = != < <= > >=")[0]
    number = reader.find(_NUMBER)
    if number is not None:
        return _number_test(sign, number[1])
    if sign not in ("=", "!="):
        raise reader.problem(f"a number after {sign}")
    matches = find_regex(reader) or text_test(_read_text(reader))
    if sign == "=":
        return lambda value: matches(as_text(value))
    return lambda value: not matches(as_text(value))


def text_test(wanted: str) -> Callable[[str], bool]:
    """`*` at the beginning or at the end stands for any text; in the middle it is itself."""
    if wanted == "*":
        return lambda text: True
    is_open_before, is_open_behind = wanted.startswith("*"), wanted.endswith("*")
    core = wanted.removeprefix("*").removesuffix("*")
    if is_open_before and is_open_behind:
        return lambda text: core in text
    if is_open_before:
        return lambda text: text.endswith(core)
    if is_open_behind:
        return lambda text: text.startswith(core)
    return lambda text: text == core


def unquote(quoted: str) -> str:
    """The text between quotes, where a backslash keeps what follows it."""
    return _ESCAPED.sub(r"\1", quoted)


def as_text(value: Value) -> str:
    """A value as a text pattern sees it."""
    return value if isinstance(value, str) else str(value)


def as_number(text: str) -> int | float | None:
    """The number that a text is; None if it is none, or one of more digits than anybody counts with."""
    found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if found is None:
        return None
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def _number_test(sign: str, literal: str) -> Test:
    wanted, compare = as_number(literal), _COMPARES[sign]
    if wanted is None:
        raise InvalidPattern(f"{literal[:40]} has more than {_LONGEST_NUMBER} digits")

    def test(value: Value) -> bool:
        if not isinstance(value, str):
            return compare(value, wanted)
        number = as_number(value)
        if number is not None:
            return compare(number, wanted)
        return sign == "!="  # a text that is no number differs from every number

    return test


def _read_text(reader: PatternReader) -> str:
    quoted = reader.find(QUOTED)
    if quoted is not None:
        return unquote(quoted[1])
    return reader.get(_WORD, "a number, a text or a %regex%")[0]
