"""Parameters as bodies: JSON, or the forms of the query protocols, right or wrong as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from apigen.names import request_name


def write_body(operation: OperationModel, parameters: Any) -> bytes:
    """The body of a request; what does not fit the model's shapes is written as it comes."""
    protocol = str(operation.service_model.metadata["protocol"])
    if protocol == "json":
        return json.dumps(parameters).encode()
    version = operation.service_model.metadata["apiVersion"]
    pairs = [("Action", operation.name), ("Version", version)]
    if operation.input_shape is not None:
        pairs += list(_pairs("", parameters, operation.input_shape, protocol))
    return urlencode(pairs).encode()


def _pairs(prefix: str, value: Any, shape: Shape | None, protocol: str) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        yield from _mapping(prefix, value, shape, protocol)
    elif isinstance(value, list):
        yield from _list(prefix, value, shape, protocol)
    else:
        yield prefix or "value", _scalar(value)


def _mapping(prefix: str, value: Mapping[str, Any], shape: Shape | None, protocol: str) -> Iterator[tuple[str, str]]:
    if isinstance(shape, MapShape):
        for number, (key, inner) in enumerate(value.items(), 1):
            entry = f"{prefix}.entry.{number}"
            yield f"{entry}.{shape.key.serialization.get('name', 'key')}", key
            yield from _pairs(f"{entry}.{shape.value.serialization.get('name', 'value')}", inner, shape.value, protocol)
        return
    members = shape.members if isinstance(shape, StructureShape) else {}
    for name, inner in value.items():
        member = members.get(name)
        step = request_name(name, member, protocol) if member is not None else name
        yield from _pairs(f"{prefix}.{step}" if prefix else step, inner, member, protocol)


def _list(prefix: str, value: list[Any], shape: Shape | None, protocol: str) -> Iterator[tuple[str, str]]:
    item = shape.member if isinstance(shape, ListShape) else None
    is_flat = protocol == "ec2" or (shape is not None and shape.serialization.get("flattened"))
    step = "" if is_flat else f".{item.serialization.get('name', 'member') if item is not None else 'member'}"
    if not value:
        yield prefix, ""
    for number, inner in enumerate(value, 1):
        yield from _pairs(f"{prefix}{step}.{number}", inner, item, protocol)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
