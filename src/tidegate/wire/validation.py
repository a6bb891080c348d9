"""
From what msgspec says of a body to what AWS says of it.

AWS's JSON services answer a value of the wrong type with SerializationException, and one that breaks a constraint of
the model with the text `1 validation error detected: Value 'v' at 'member' failed to satisfy constraint: ...`, under
the error that the service uses for bad parameters.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from tidegate.api.shape import ServiceError, Shape, is_marked_sensitive

PARAMETER_ERRORS = {
    "ecs": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "secretsmanager": "ValidationException",
    "ssm": "ValidationException",
    "tidegate": "InvalidParameterException",
}
"""By service; ValidationError elsewhere, as STS has it."""
DEFINITION_ERRORS = {"RegisterTaskDefinitionRequest": "ClientException"}
"""ECS answers whatever is wrong with a task definition so. Source: API reference, RegisterTaskDefinition."""
OWN_TEXTS = {
    ("ecs", "launchType"): "launch type should be one of [EC2,FARGATE,EXTERNAL]",
    ("ecs", "tasks"): "Tasks cannot be empty.",
}
"""Where ECS is known to say it in words of its own."""
_AT = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_BOUND = re.compile(r"Expected `[^`]+` (?P<length>of length )?(?P<sign>>=|<=|>|<) (?P<bound>-?[\d.]+)")
_PATTERN = re.compile(r"Expected `str` matching regex '(?:\\\\A\(\?:)?(?P<pattern>.*?)(?:\)\\\\Z)?'$", re.DOTALL)
_TOKENS = {"str": "STRING_VALUE", "int": "NUMBER_VALUE", "float": "NUMBER_VALUE", "bool": "BOOLEAN_VALUE"}
_WANTED = {"str": "a String", "int": "an Integer", "float": "a Double", "bool": "a Boolean"}
_UNEXPECTED = {"array": "Start of list", "object": "Start of structure or map"}
_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_ENUM = "Invalid enum value "
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
LONGEST_VALUE = 256


class WireError(ServiceError):
    """An error that no model names, or one whose name depends on the service that was asked."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]
        self.status = status  # type: ignore[misc]


class Violation(NamedTuple):
    """A constraint that a value breaks. name: as AWS writes it, containerDefinitions.1.member.name."""

    name: str
    value: Any
    constraint: str
    is_sensitive: bool = False
    """The value is not repeated, as AWS doesn't."""


def explain(service: str, error: Exception, body: Any, shape: type[Shape]) -> WireError:
    """
    The error that the caller gets.

    body: what was sent, decoded without a schema (or None if that failed). shape: what was expected.
    """
    if not isinstance(error, msgspec.ValidationError):
        return WireError("SerializationException", "The request body is not well formed.")
    found = find_violation(error, body, shape)
    if found is None:
        return WireError("SerializationException", _wrong_type(error))
    code = DEFINITION_ERRORS.get(shape.__name__) or PARAMETER_ERRORS.get(service, "ValidationError")
    own = OWN_TEXTS.get((service, found.name))
    if own is not None:
        return WireError(code, own)
    return WireError(
        code,
        f"1 validation error detected: {_told(found)} at '{found.name}' failed to satisfy constraint: "
        f"{found.constraint}",
    )


def find_violation(error: msgspec.ValidationError, body: Any, shape: type[Shape]) -> Violation | None:
    """Which constraint of the model was broken; None if the value was not even of the type."""
    match = _AT.match(str(error))
    assert match is not None
    what, path = match["what"], match["path"] or "$"
    missing = _MISSING.match(what)
    if missing is not None:
        return Violation(_name(f"{path}.{missing['name']}"), None, "Member must not be null")
    constraint = _constraint(what, shape, path)
    if constraint is None:
        return None
    container, is_inside, _ = path.partition("[...]")
    if match["key"]:
        constraint = f"Map keys must satisfy constraint: [{constraint}]"
    elif is_inside:  # msgspec does not say which entry; nor does AWS
        constraint = f"Map value must satisfy constraint: [{constraint}]"
    return Violation(_name(container), _value(body, container), constraint, _is_sensitive(shape, container))


def _constraint(what: str, shape: type[Shape], path: str) -> str | None:
    bound = _BOUND.match(what)
    if bound is not None:
        kind = "length" if bound["length"] else "value"
        relation = "greater" if bound["sign"].startswith(">") else "less"
        return f"Member must have {kind} {relation} than or equal to {bound['bound']}"
    pattern = _PATTERN.match(what)
    if pattern is not None:
        return f"Member must satisfy regular expression pattern: {pattern['pattern'].replace(chr(92) * 2, chr(92))}"
    if what.startswith(_ENUM):
        return f"Member must satisfy enum value set: [{', '.join(_enumeration(shape, path))}]"
    kind_of = _TYPE.match(what)
    if kind_of is not None and kind_of["got"] == "null":
        return "Member must not be null"
    return None


def _wrong_type(error: msgspec.ValidationError) -> str:
    match = _AT.match(str(error))
    assert match is not None
    name, kind = _name(match["path"] or "$"), _TYPE.match(match["what"])
    if kind is None:
        return f"The value at '{name}' is not valid."
    wanted, got = kind["wanted"].partition(" ")[0], kind["got"]
    if got in _UNEXPECTED or wanted not in _WANTED:
        return f"{_UNEXPECTED.get(got, _TOKENS.get(got, got))} found where not expected at '{name}'"
    return f"{_TOKENS.get(got, got)} can not be converted to {_WANTED[wanted]} at '{name}'"


def _enumeration(shape: type[Shape], path: str) -> list[str]:
    """The values that the enumeration at `path` has."""
    kinds = [msgspec.inspect.type_info(shape)]
    for member, _ in _STEP.findall(path.removeprefix("$")):
        kinds = [inner for kind in kinds for inner in _inside(kind, member)]
    literals = (kind for kind in _flat(kinds) if isinstance(kind, msgspec.inspect.LiteralType))
    return [str(value) for kind in literals for value in kind.values]


def _is_sensitive(shape: type[Shape], path: str) -> bool:
    """Whether the model marks the member at `path`, or one that holds it, as sensitive."""
    kinds = [msgspec.inspect.type_info(shape)]
    for member, _ in _STEP.findall(path.removeprefix("$")):
        kinds = [inner for kind in kinds for inner in _inside(kind, member)]
        if any(is_marked_sensitive(kind) for kind in kinds):
            return True
    return False


def _inside(kind: msgspec.inspect.Type, member: str) -> list[msgspec.inspect.Type]:
    found: list[msgspec.inspect.Type] = []
    for one in _flat([kind]):
        match one:
            case msgspec.inspect.StructType(fields=fields):
                found += [field.type for field in fields if field.encode_name == member]
            case msgspec.inspect.VarTupleType(item_type=item):
                found.append(item)
            case msgspec.inspect.DictType(value_type=value):
                found.append(value)
    return found


def _flat(kinds: list[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    """Without unions and annotations around them."""
    found: list[msgspec.inspect.Type] = []
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.Metadata):
            kind = kind.type
        found += _flat(list(kind.types)) if isinstance(kind, msgspec.inspect.UnionType) else [kind]
    return found


def _name(path: str) -> str:
    """`$.containerDefinitions[0].Name` as AWS writes it, as Java names members: containerDefinitions.1.member.name."""
    steps = []
    for member, index in _STEP.findall(path.removeprefix("$")):
        if member:
            steps.append(member[:1].lower() + member[1:])
        else:
            steps += [str(int(index) + 1), "member"] if index.isdigit() else ["member"]
    return ".".join(steps) or "body"


def _value(body: Any, path: str) -> Any:
    for member, index in _STEP.findall(path.removeprefix("$")):
        try:
            body = body[member] if member else body[int(index)]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return body


def _told(found: Violation) -> str:
    if found.value is None:
        return "Value null"
    return "Value" if found.is_sensitive else f"Value '{_java(found.value)[:LONGEST_VALUE]}'"


def _java(value: Any) -> str:
    """As Java prints it: [a, b], {k=v}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_java, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
