"""
Patterns for events of fields that are parted by spaces: `[ip, user, ..., status = 4*, bytes > 1000]`.

What stands in an event between two double quotes or between square brackets is one field. A pattern has a name for
each field, in order; `...` stands for any number of them, once. A name may have conditions on its field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tidegate.services.logs.patterns.reader import InvalidPattern, PatternReader, Predicate, read_condition
from tidegate.services.logs.patterns.values import Value, read_comparison

_NAME: Final = re.compile(r"[\w$-]+")
_NAME_ALONE: Final = re.compile(r"([\w$-]+)(?=\s*(?:,|\Z))")
_NO_NAME: Final = re.compile(r"(?=,|\Z)")
_ELLIPSIS: Final = re.compile(r"\.\.\.|…")
_SPACE: Final = re.compile(r"\s")
_CLOSING: Final = {"[": "]", '"': '"'}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    test: Predicate[Value] | None = None


class FieldsPattern:
    """What stands between the square brackets. Raises InvalidPattern."""

    def __init__(self, inner: str) -> None:
        self._before: list[_Field] = []
        self._behind: list[_Field] = []
        self._has_gap = False
        reader = PatternReader(inner)
        while True:
            self._read_field(reader)
            if reader.is_done:
                return
            if not reader.take(","):
                raise reader.problem("`,`, `&&` or `||`")

    def matches(self, message: str) -> bool:
        """The message has these fields, and the conditions hold."""
        fields = split_fields(message)
        if not self._fits(fields):
            return False
        return all(field.test is None or field.test(value) for field, value in self._paired(fields))

    def extract(self, message: str) -> dict[str, str]:
        """The fields by name, `$name`; those without one by their place, `$1` and so on."""
        fields = split_fields(message)
        found = {f"${position}": value for position, value in enumerate(fields, 1)}
        last = len(fields) - len(self._behind)
        places = [*range(1, len(self._before) + 1), *range(last + 1, len(fields) + 1)]
        for place, (field, value) in zip(places, self._paired(fields), strict=True):
            if field.name:
                del found[f"${place}"]
                found[f"${field.name}"] = value
        return found

    def _read_field(self, reader: PatternReader) -> None:
        if reader.find(_ELLIPSIS):
            if self._has_gap:
                raise InvalidPattern("there can be only one `...`")
            self._has_gap = True
            return
        field = _Field("") if reader.find(_NO_NAME) else _read_named(reader)
        (self._behind if self._has_gap else self._before).append(field)

    def _fits(self, fields: list[str]) -> bool:
        least = len(self._before) + len(self._behind)
        return len(fields) >= least if self._has_gap else len(fields) == least

    def _paired(self, fields: list[str]) -> list[tuple[_Field, str]]:
        last = len(fields) - len(self._behind)
        pairs = [*zip(self._before, fields[: len(self._before)], strict=True)]
        return [*pairs, *zip(self._behind, fields[last:], strict=True)]


def split_fields(message: str) -> list[str]:
    """The fields of an event, in time linear in its length. A bracket or quote that is not closed is a character."""
    if "[" not in message and '"' not in message:
        return message.split()
    fields: list[str] = []
    position, size = 0, len(message)
    unclosed: set[str] = set()
    while True:
        while position < size and message[position].isspace():
            position += 1
        if position == size:
            return fields
        closing = _CLOSING.get(message[position])
        end = message.find(closing, position + 1) if closing and closing not in unclosed else -1
        if end >= 0:
            fields.append(message[position + 1 : end])
            position = end + 1
            continue
        if closing:
            unclosed.add(closing)
        end = _find_space(message, position)
        fields.append(message[position:end])
        position = end


def _find_space(message: str, position: int) -> int:
    found = _SPACE.search(message, position)
    return found.start() if found else len(message)


def _read_named(reader: PatternReader) -> _Field:
    """`name`, or conditions on one name, with or without parentheses."""
    names: set[str] = set()

    def read_leaf(reader: PatternReader) -> Predicate[Value]:
        names.add(reader.get(_NAME, "a field's name")[0])
        if len(names) > 1:
            raise InvalidPattern(f"conditions on {' and '.join(sorted(names))} stand in one field")
        return read_comparison(reader)

    plain = reader.find(_NAME_ALONE)
    if plain is not None:
        return _Field(plain[1])
    test = read_condition(reader, read_leaf)
    return _Field(names.pop(), test)
