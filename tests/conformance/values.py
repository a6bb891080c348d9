"""Typed values and the cases' plain ones, into each other by the model."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from apigen.shapes import class_name, member_name

_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_plain(shape: Shape, value: Any) -> Any:
    """As the cases write it: absent members left out, a blob as text, NaN by its name."""
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        members = ((name, member, getattr(value, member_name(name))) for name, member in shape.members.items())
        return {name: to_plain(member, found) for name, member, found in members if found is not None}
    if isinstance(shape, ListShape):
        return [to_plain(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: to_plain(shape.value, item) for key, item in value.items()}
    if shape.type_name == "blob":
        assert isinstance(value, bytes)
        return value.decode()
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value


def to_typed(shape: Shape, value: Any, module: ModuleType) -> Any:
    """An instance of the generated class."""
    if value is None:
        return None
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        found = {
            member_name(name): to_typed(member, value[name], module)
            for name, member in shape.members.items()
            if name in value
        }
        return getattr(module, class_name(shape))(**found)
    if isinstance(shape, ListShape):
        return tuple(to_typed(shape.member, item, module) for item in value)
    if isinstance(shape, MapShape):
        return {key: to_typed(shape.value, item, module) for key, item in value.items()}
    if shape.type_name == "blob":
        return value.encode()
    if shape.type_name in ("float", "double") and isinstance(value, str):
        return _NUMBERS[value]
    return value


def without_nulls(value: Any) -> Any:
    """Members that are null are members that are absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value
