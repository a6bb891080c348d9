"""
One fault at a time in a valid call, as the service's model says what would be one.

Each fault is at a member that the seed gives, or that its structure could give. A Mutation's `body` is what is sent,
where it is no longer something that parameters could say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from conformance.forms import write_body

NUMBERS = ("integer", "long")
HUGE = {"integer": (2**31, -(2**31) - 1), "long": (2**63, -(2**63) - 1)}


@dataclass(frozen=True, slots=True)
class Mutation:
    """`path` names the member as `a.b[0].c`; `kind` says what was done to it."""

    operation: str
    path: str
    kind: str
    body: bytes

    @property
    def name(self) -> str:
        return f"{self.operation} {self.path or '(body)'} {self.kind}"


def model_mutations(operation: OperationModel, seed: Mapping[str, Any]) -> Iterator[Mutation]:
    """Every fault that the model names."""
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return
    is_json = operation.service_model.metadata["protocol"] == "json"
    for path, kind, value in _of_structure("", seed, shape, is_json=is_json):
        yield Mutation(operation.name, path, kind, write_body(operation, value))
    if is_json:
        for kind, body in _broken_bodies(seed):
            yield Mutation(operation.name, "", kind, body)


Fault = tuple[str, str, Any]
"""Where, what, and the whole value with the fault in it."""


def _of_structure(path: str, value: Mapping[str, Any], shape: StructureShape, *, is_json: bool) -> Iterator[Fault]:
    yield f"{path}.NoSuchMember" if path else "NoSuchMember", "unknown member", {**value, "NoSuchMember": "x"}
    for name, member in shape.members.items():
        where = f"{path}.{name}" if path else name
        without = {key: inner for key, inner in value.items() if key != name}
        if name in shape.required_members and name in value:
            yield where, "missing", without
            if is_json:
                yield where, "null", {**value, name: None}
                yield where, "in another case", {**without, name.swapcase(): value[name]}
        elif is_json:
            yield where, "null for an optional member", {**value, name: None}
        for inner_path, kind, inner in _of_value(where, value.get(name), member, is_json=is_json):
            yield inner_path, kind, {**value, name: inner}


def _of_value(path: str, value: Any, shape: Shape, *, is_json: bool) -> Iterator[Fault]:
    for kind, wrong in _wrong_types(shape, is_json=is_json):
        yield path, kind, wrong
    match shape:
        case StructureShape() if isinstance(value, Mapping):
            yield from _of_structure(path, value, shape, is_json=is_json)
        case ListShape():
            yield from _of_list(path, value, shape, is_json=is_json)
        case MapShape():
            yield from _of_map(path, value, shape, is_json=is_json)
        case _:
            for kind, wrong in _out_of_bounds(shape):
                yield path, kind, wrong


def _of_list(path: str, value: Any, shape: ListShape, *, is_json: bool) -> Iterator[Fault]:
    items = list(value) if isinstance(value, list) else []
    if is_json:
        yield f"{path}[{len(items)}]", "null in a list", [*items, None]
    for kind, size in _sizes(shape):
        if items or size == 0:
            filler = items[0] if items else None
            yield path, kind, [filler] * size
    for number, item in enumerate(items[:1]):
        for inner_path, kind, inner in _of_value(f"{path}[{number}]", item, shape.member, is_json=is_json):
            yield inner_path, kind, [*items[:number], inner, *items[number + 1 :]]
    if not items:
        for inner_path, kind, inner in _of_value(f"{path}[0]", None, shape.member, is_json=is_json):
            yield inner_path, kind, [inner]


def _of_map(path: str, value: Any, shape: MapShape, *, is_json: bool) -> Iterator[Fault]:
    entries = dict(value) if isinstance(value, Mapping) else {}
    for kind, size in _sizes(shape):
        yield path, kind, {f"k{n}": "v" for n in range(size)}
    for key, inner in list(entries.items())[:1]:
        for inner_path, kind, wrong in _of_value(f"{path}[{key}]", inner, shape.value, is_json=is_json):
            yield inner_path, kind, {**entries, key: wrong}
    for kind, wrong in _out_of_bounds(shape.key):
        if isinstance(wrong, str):
            yield f"{path}[]", f"key {kind}", {**entries, wrong: "v"}


def _wrong_types(shape: Shape, *, is_json: bool) -> Iterator[tuple[str, Any]]:
    if not is_json:  # in a form everything is text
        match shape.type_name:
            case "integer" | "long":
                yield from ((f"of a wrong type ({wrong!r})", wrong) for wrong in ("abc", "1.5", "0x10", " ", "null"))
            case "boolean":
                yield from ((f"of a wrong type ({wrong!r})", wrong) for wrong in ("maybe", "2", "null"))
        return
    wrongs: dict[str, tuple[Any, ...]] = {
        "string": (5, True, {}, [], {"a": 1}, ["a"]),
        "integer": ("abc", "", True, {}, [], [1]),
        "long": ("abc", "", True, {}, [], [1]),
        "boolean": ("yes", 1, {}, [], "TRUE"),
        "list": ("a", 5, True, {}, {"a": 1}),
        "map": ("a", 5, True, [], ["a"]),
        "structure": ("a", 5, True, [], ["a"]),
        "timestamp": ("yesterday", True, {}, []),
        "double": ("abc", True, {}, []),
        "float": ("abc", True, {}, []),
        "blob": (5, True, {}, []),
    }
    for wrong in wrongs[shape.type_name]:
        yield f"of a wrong type ({wrong!r})", wrong


def _out_of_bounds(shape: Shape) -> Iterator[tuple[str, Any]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name in NUMBERS:
        if least is not None:
            yield "too small", least - 1
        if most is not None:
            yield "too large", most + 1
        yield from ((f"too large for {shape.type_name} ({wrong})", wrong) for wrong in HUGE[shape.type_name])
    elif shape.type_name == "string":
        yield from _wrong_texts(shape)


def _wrong_texts(shape: Shape) -> Iterator[tuple[str, str]]:
    enum = shape.metadata.get("enum")
    if enum:
        first = enum[0]
        wrongs = {"NO_SUCH_VALUE", first.swapcase(), f"{first} ", f" {first}", f"{first}\0", ""} - set(enum)
        yield from ((f"not in the enumeration ({wrong!r})", wrong) for wrong in sorted(wrongs))
        return
    least, most, pattern = (shape.metadata.get(name) for name in ("min", "max", "pattern"))
    if least:
        yield "too short", "a" * (least - 1)
    if most is not None:
        yield "too long", "a" * (most + 1)
    if pattern and "\\p{" not in pattern:
        whole = re.compile(rf"(?:{pattern.removeprefix('^').removesuffix('$')})")
        texts = (" ", "a b", "a\n", "\0", "é", "*", ":", "a:*", "{}", "<a>", "'; DROP", "%", "💥", "a\tb", "?", "\\")
        for text in texts:
            long_enough = text * (least or 1) if least and len(text) < least else text
            if not whole.fullmatch(long_enough):
                yield f"not of the pattern ({long_enough!r})", long_enough


def _sizes(shape: Shape) -> Iterator[tuple[str, int]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least:
        yield "too few", least - 1
    if most is not None and most <= 10_000:
        yield "too many", most + 1


def _broken_bodies(seed: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    good = json.dumps(seed).encode()
    yield from {
        "cut off": good[:-1],
        "two values": good + good,
        "a list": b"[" + good + b"]",
        "a text": b'"a"',
        "a number": b"5",
        "not JSON": b"family=app",
        "single quotes": b"{'a': 1}",
        "a comma too many": b'{"a": 1,}',
        "NaN": b'{"a": NaN}',
        "a number that is none": b'{"a": 01}',
        "not UTF-8": b'{"a": "\xff"}',
        "a control character in a text": b'{"a": "\x01"}',
    }.items()
