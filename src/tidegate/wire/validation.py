"""
From what msgspec says of a body to what AWS says of it.

AWS's JSON services answer a value of the wrong type with SerializationException, and one that breaks a constraint of
the model with the text `1 validation error detected: Value 'v' at 'member' failed to satisfy constraint: ...`, under
the error that the service uses for bad parameters.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tidegate.api.shape import ServiceError

PARAMETER_ERRORS = {
    "ecs": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "tidegate": "InvalidParameterException",
}
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_BOUND = re.compile(r"Expected `[^`]+` (?P<length>of length )?(?P<sign>>=|<=|>|<) (?P<bound>-?[\d.]+)")
_PATTERN = re.compile(r"Expected `str` matching regex '(?P<pattern>.*)'")
_TYPES = {
    "str": "String",
    "int": "Integer",
    "float": "Double",
    "bool": "Boolean",
    "array": "List",
    "object": "Structure",
}
_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_ENUM = re.compile(r"Invalid enum value (?P<value>.*)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
LONGEST_VALUE = 256


class WireError(ServiceError):
    """An error that no model names, or one whose name depends on the service that was asked."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]
        self.status = status  # type: ignore[misc]


def explain(service: str, error: msgspec.DecodeError, body: Any) -> WireError:
    """The error that the caller gets. body: what was sent, decoded without a schema (or None if that failed)."""
    if not isinstance(error, msgspec.ValidationError):
        return WireError("SerializationException", "The request body is not well formed.")
    match = _AT.match(str(error))
    assert match is not None
    what, path = match["what"], match["path"] or "$"
    missing = _MISSING.match(what)
    if missing is not None:
        name = _name(f"{path}.{missing['name']}")
        return _broken(service, "null", name, "Member must not be null")
    constraint = _constraint(what)
    if constraint is not None:
        return _broken(service, _quote(_value(body, path)), _name(path), constraint)
    kind = _TYPE.match(what)
    if kind is not None:
        wanted, got = (_TYPES.get(k.partition(" ")[0], k) for k in (kind["wanted"], kind["got"]))
        return WireError("SerializationException", f"{got} value can not be converted to {wanted} at '{_name(path)}'")
    return WireError("SerializationException", f"The value at '{_name(path)}' is not valid.")


def _constraint(what: str) -> str | None:
    bound = _BOUND.match(what)
    if bound is not None:
        kind = "length" if bound["length"] else "value"
        relation = "greater" if bound["sign"].startswith(">") else "less"
        return f"Member must have {kind} {relation} than or equal to {bound['bound']}"
    pattern = _PATTERN.match(what)
    if pattern is not None:
        return f"Member must satisfy regular expression pattern: {pattern['pattern']}"
    if _ENUM.match(what):
        return "Member must satisfy enum value set"
    return None


def _broken(service: str, value: str, name: str, constraint: str) -> WireError:
    code = PARAMETER_ERRORS.get(service, "ValidationError")
    return WireError(
        code, f"1 validation error detected: Value {value} at '{name}' failed to satisfy constraint: {constraint}"
    )


def _name(path: str) -> str:
    """`$.containerDefinitions[0].name` as AWS writes it: containerDefinitions.1.member.name."""
    steps = []
    for member, index in _STEP.findall(path.removeprefix("$")):
        if member:
            steps.append(member)
        else:
            steps += [str(int(index) + 1) if index.isdigit() else "1", "member"]
    return ".".join(steps) or "body"


def _value(body: Any, path: str) -> Any:
    for member, index in _STEP.findall(path.removeprefix("$")):
        try:
            body = body[member] if member else body[int(index)]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return body


def _quote(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"'{text[:LONGEST_VALUE]}'"
