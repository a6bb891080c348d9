"""The generator: names that are free, constraints of the model, tables that the wire needs."""

from __future__ import annotations

import re
import sys
from itertools import count
from types import ModuleType
from typing import Any

import msgspec
import pytest

from apigen.render import render
from apigen.shapes import python_pattern
from generate_api import describe, generate

_numbers = count()
METADATA = {
    "protocol": "json",
    "apiVersion": "2020-01-01",
    "jsonVersion": "1.1",
    "targetPrefix": "Made",
    "endpointPrefix": "made",
    "serviceFullName": "A made service",
}


def described(members: dict[str, Any], shapes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A model of one operation, with these members in its request."""
    return {
        "metadata": METADATA,
        "operations": {
            "DoIt": {
                "name": "DoIt",
                "http": {"method": "POST"},
                "input": {"shape": "DoItRequest"},
                "errors": more.pop("errors", []),
            },
            "Other": {"name": "Other", "http": {"method": "POST"}},
        },
        "shapes": {"DoItRequest": {"type": "structure", "members": members, **more}, **(shapes or {})},
    }


def module(description: dict[str, Any]) -> ModuleType:
    made = ModuleType(f"made_{next(_numbers)}")
    sys.modules[made.__name__] = made
    exec(render(description, "made", ["DoIt"], "a test"), made.__dict__)
    return made


def read(made: ModuleType, **values: Any) -> Any:
    return msgspec.convert(values, made.DoItRequest)


def test_names_that_python_or_the_module_needs_get_an_underscore() -> None:
    """They hide nothing; on the wire they are as modelled."""
    text = {"shape": "Text"}
    made = module(
        described(
            {"float": {"shape": "Number"}, "field": text, "class": text, "Int": text, "op": {"shape": "Operation"}},
            {
                "Text": {"type": "string"},
                "Number": {"type": "double"},
                "Operation": {"type": "structure", "members": {"id": text}},
            },
        )
    )
    found = read(made, **{"float": 1.5, "field": "a", "class": "b", "Int": "c", "op": {"id": "d"}})
    assert (found.float_, found.field_, found.class_, found.int_, found.op.id) == (1.5, "a", "b", "c", "d")
    assert type(found.op).__name__ == "Operation_"


@pytest.mark.parametrize(
    "shape, good, bad",
    [
        ({"type": "string", "min": 2, "max": 3}, ["ab", "abc"], ["a", "abcd"]),
        ({"type": "string", "enum": ["A", "B"]}, ["A"], ["a", ""]),
        ({"type": "string", "pattern": "[a-z]+"}, ["abc"], ["", "aBc", "abc\n", "a b"]),
        ({"type": "integer"}, [2**31 - 1, -(2**31)], [2**31, -(2**31) - 1, "1", 1.5]),
        ({"type": "integer", "min": 1}, [1, 2**31 - 1], [0, 2**31]),
        ({"type": "long", "max": 5}, [5, -(2**63)], [6, -(2**63) - 1]),
        ({"type": "boolean"}, [True], [1, "true"]),
        ({"type": "list", "member": {"shape": "Short"}, "min": 1, "max": 2}, [["a"]], [[], ["a"] * 3, ["abc"], [None]]),
        (
            {"type": "map", "key": {"shape": "Short"}, "value": {"shape": "Short"}, "max": 1},
            [{"a": "b"}],
            [{"abc": "b"}, {"a": "abc"}, {"a": "b", "c": "d"}],
        ),
    ],
)
def test_constraints(shape: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    """Length, enumeration, pattern, range and type are checked when a request is read."""
    made = module(described({"it": {"shape": "It"}}, {"It": shape, "Short": {"type": "string", "max": 2}}))
    for value in good:
        read(made, it=value)
    for value in bad:
        with pytest.raises(msgspec.ValidationError):
            read(made, it=value)


def test_required_members() -> None:
    """Are required, and come first in no other way than that."""
    made = module(
        described({"a": {"shape": "Text"}, "b": {"shape": "Text"}}, {"Text": {"type": "string"}}, required=["b"])
    )
    assert (read(made, b="x").a, read(made, b="x").b) == (None, "x")
    with pytest.raises(msgspec.ValidationError, match="missing required field `b`"):
        read(made, a="x")


def test_recursion_and_what_is_not_reached() -> None:
    """A structure may hold itself; what no served operation reaches is left out, its name is kept."""
    made = module(described({"down": {"shape": "DoItRequest"}}, {"Unreached": {"type": "structure", "members": {}}}))
    assert read(made, down={"down": {}}).down.down.down is None
    assert not hasattr(made, "Unreached")
    assert set(made.UNSERVED) == {"Other"}


@pytest.mark.parametrize(
    "metadata, code, status",
    [
        ({}, "Wrong", 400),
        ({"fault": True}, "Wrong", 500),
        ({"error": {"code": "WrongCode", "httpStatusCode": 409}}, "WrongCode", 409),
    ],
)
def test_errors(metadata: dict[str, Any], code: str, status: int) -> None:
    """Their code and status are the model's; the operation names them."""
    wrong = {"type": "structure", "members": {}, "exception": True, **metadata}
    made = module(described({}, {"Wrong": wrong}, errors=[{"shape": "Wrong"}]))
    assert (made.Wrong.code, made.Wrong.status) == (code, status)
    assert made.OPERATIONS[0].errors == (made.Wrong,)


@pytest.mark.parametrize("pattern", ["[a-z]+", "^[a-z]+$", "a|b", "^(a|b)$"])
def test_patterns_are_of_the_whole_text(pattern: str) -> None:
    """As AWS means them, anchored or not; a line end is no end."""
    python = python_pattern(pattern)
    assert python is not None
    assert re.search(python, "a")
    for text in ("a\n", "\na", "1a", "a1", "xab1"):
        assert not re.search(python, text)


@pytest.mark.parametrize("pattern", [None, r"[\p{L}\p{Z}]*", "[", r"(?<n>a)"])
def test_patterns_that_python_cannot_take_are_left_out(pattern: str | None) -> None:
    """Nothing is checked in their stead."""
    assert python_pattern(pattern) is None


def test_an_operation_that_streams_answers_with_its_events() -> None:
    """The union of what may come; without such an operation nothing is imported for it."""
    tail = render(describe("logs")[0], "logs", ["StartLiveTail"], "a test")
    assert "-> AsyncIterator[StartLiveTailResponseStream]: ..." in tail
    assert "AsyncIterator" not in render(describe("logs")[0], "logs", ["DescribeLogGroups"], "a test")


def test_the_same_text_each_time() -> None:
    """Whatever the order of sets in this process."""
    assert generate("sts") == generate("sts")
    assert generate("ec2") == generate("ec2")
