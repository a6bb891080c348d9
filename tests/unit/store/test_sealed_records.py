"""No record has bytes that aren't sealed, and none has a sealed text that a change of the master key wouldn't find."""

from __future__ import annotations

import importlib
import pkgutil

import msgspec
import pytest

import tidegate.model
from tidegate.model.account import AccessKey
from tidegate.model.record import Record
from tidegate.model.sealed import find_sealed_field, sealed_context
from tidegate.server.house import KINDS

SEALED_BY_NATURE = {"access-key", "parameter-version"}
"""Kinds that hold secrets: more than these is fine, fewer is not."""


class Inner(msgspec.Struct):
    deep: dict[str, list[bytes | None]]


class Outer(msgspec.Struct):
    inner: tuple[Inner, ...] | None
    pair: tuple[int, bytes]


def every_kind() -> list[type[Record]]:
    """Every record class of the model, whether the server stores it or not."""
    for module in pkgutil.iter_modules(tidegate.model.__path__):
        importlib.import_module(f"tidegate.model.{module.name}")
    return [kind for kind in _below(Record) if kind.__module__.startswith("tidegate.") and hasattr(kind, "KIND")]


def _below(kind: type[Record]) -> list[type[Record]]:
    return [found for one in kind.__subclasses__() for found in (one, *_below(one))]


def bytes_in(described: msgspec.inspect.Type, path: str = "", depth: int = 0) -> list[str]:
    """Where an annotation can hold bytes."""
    match described:
        case msgspec.inspect.BytesType() | msgspec.inspect.ByteArrayType() | msgspec.inspect.MemoryViewType():
            return [path]
        case msgspec.inspect.Metadata(type=inner):
            return bytes_in(inner, path, depth)
        case msgspec.inspect.UnionType(types=types):
            return [found for one in types for found in bytes_in(one, path, depth)]
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return bytes_in(key, f"{path}{{}}", depth) + bytes_in(value, f"{path}{{}}", depth)
        case msgspec.inspect.TupleType(item_types=items):
            return [found for one in items for found in bytes_in(one, f"{path}[]", depth)]
        case msgspec.inspect.StructType(fields=fields) if depth < 12:
            return [found for f in fields for found in bytes_in(f.type, f"{path}.{f.name}", depth + 1)]
    inner_item = getattr(described, "item_type", None)
    return [] if inner_item is None else bytes_in(inner_item, f"{path}[]", depth)


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.KIND)
def test_bytes_in_a_record_are_sealed(kind: type[Record]) -> None:
    """Each record has at most one field of bytes, holds it directly, and it is marked as Sealed."""
    sealed = find_sealed_field(kind)
    assert bytes_in(msgspec.inspect.type_info(kind)) == ([] if sealed is None else [f".{sealed}"])


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.KIND)
def test_what_is_called_sealed_is_sealed(kind: type[Record]) -> None:
    """A field whose name says so is one: text in another type would be missed."""
    named = [name for name in kind.__struct_fields__ if name.startswith("sealed")]
    assert named == [] or named == [find_sealed_field(kind)]


def test_every_kind_with_secrets_is_stored_by_the_server() -> None:
    """What the server's store does not load can't be sealed anew."""
    assert {kind.KIND for kind in every_kind() if find_sealed_field(kind)} <= {kind.KIND for kind in KINDS}
    assert {kind.KIND for kind in KINDS if find_sealed_field(kind)} >= SEALED_BY_NATURE


def test_the_context_is_the_record() -> None:
    """Kind and key: no two records share it."""
    assert find_sealed_field(AccessKey) == "sealed_secret"
    assert sealed_context(AccessKey, "AKIA1") == b"access-key/AKIA1"


def test_the_test_sees_bytes_wherever_they_hide() -> None:
    """In lists, maps, unions and structures of structures."""
    assert bytes_in(msgspec.inspect.type_info(Outer)) == [".inner[].deep{}[]", ".pair[]"]
