"""
Patterns for events that are JSON: `{ $.user.id = 1 && ($.actions[0] != "GET*" || $.error IS NULL) }`.

A selector must lead to a text or a number: a comparison of anything else, or of what is not there, does not match,
whatever the operator.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from tidegate.services.logs.patterns.reader import PatternReader, Predicate, read_condition
from tidegate.services.logs.patterns.values import read_comparison

_SELECTOR: Final = re.compile(r"\$((?:\.[\w-]+(?:\[[0-9]{1,9}\])*)+)", re.ASCII)
_STEP: Final = re.compile(r"[\w-]+|\[[0-9]+\]", re.ASCII)
_CLAIM: Final = re.compile(r"(IS\s+NULL|IS\s+TRUE|IS\s+FALSE|NOT\s+EXISTS)\b")
_MISSING: Final = object()
_decode = msgspec.json.Decoder().decode


class DocumentPattern:
    """What stands between the braces. Raises InvalidPattern."""

    def __init__(self, inner: str) -> None:
        reader = PatternReader(inner)
        self._holds = read_condition(reader, _read_leaf)
        if not reader.is_done:
            raise reader.problem("`&&`, `||` or the end")

    def matches(self, message: str) -> bool:
        """The message is a JSON document that the condition holds for."""
        if not message.lstrip(" \t\r\n").startswith(("{", "[")):
            return False
        try:
            document = _decode(message)
        except (msgspec.DecodeError, RecursionError):
            return False
        return self._holds(document)

    def extract(self, message: str) -> dict[str, str]:
        """Nothing: fields are extracted from space-delimited events alone. Source: the user guide."""
        return {}


def _read_leaf(reader: PatternReader) -> Predicate[Any]:
    path = _read_path(reader)
    claim = reader.find(_CLAIM)
    if claim is not None:
        return _claim_test(path, " ".join(claim[1].split()))
    test = read_comparison(reader)

    def holds(document: Any) -> bool:
        value = _select(document, path)
        return isinstance(value, str | int | float) and not isinstance(value, bool) and test(value)

    return holds


def _read_path(reader: PatternReader) -> tuple[str | int, ...]:
    steps = _STEP.findall(reader.get(_SELECTOR, "a selector like $.name or $.list[0].name")[1])
    return tuple(int(step[1:-1]) if step.startswith("[") else step for step in steps)


def _claim_test(path: tuple[str | int, ...], claim: str) -> Predicate[Any]:
    wanted = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False, "NOT EXISTS": _MISSING}[claim]
    return lambda document: _select(document, path) is wanted


def _select(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if isinstance(step, str):
            document = document.get(step, _MISSING) if isinstance(document, dict) else _MISSING
        else:
            is_there = isinstance(document, list) and step < len(document)
            document = document[step] if is_there else _MISSING
        if document is _MISSING:
            return _MISSING
    return document
