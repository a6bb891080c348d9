"""
The names that the query protocols give to members: botocore's rules, written down as data.

Requests: EC2 takes queryName, else locationName or the name with a capital, and all its lists are flat; query takes
the name (locationName for a flat list's items). Answers: locationName, else the name; items are `member` unless named.
"""

from __future__ import annotations

from botocore.model import ListShape, MapShape, Shape, StructureShape


def member(name: str, shape: Shape, protocol: str) -> str:
    """A `Member(...)` expression."""
    serialization = shape.serialization
    answer = serialization.get("name", name)
    kind, of = _kind(shape, protocol)
    is_flat = bool(serialization.get("flattened"))
    if is_flat and isinstance(shape, ListShape) and "name" in shape.member.serialization:
        answer = shape.member.serialization["name"]
    arguments = [repr(name), repr(request_name(name, shape, protocol)), repr(answer), repr(kind)]
    if of:
        arguments.append(f"of={of}")
    if is_flat:
        arguments.append("is_flat=True")
    if serialization.get("timestampFormat"):
        arguments.append(f"timestamp={serialization['timestampFormat']!r}")
    if serialization.get("xmlAttribute"):
        arguments.append("attribute=True")
    return f"Member({', '.join(arguments)})"


def request_name(name: str, shape: Shape, protocol: str) -> str:
    """The member's name in a request."""
    serialization = shape.serialization
    if protocol == "ec2":
        if "queryName" in serialization:
            return str(serialization["queryName"])
        location = str(serialization.get("name", name))
        return location[0].upper() + location[1:]
    if isinstance(shape, ListShape) and serialization.get("flattened"):
        return str(shape.member.serialization.get("name", serialization.get("name", name)))
    return str(serialization.get("name", name))


def _kind(shape: Shape, protocol: str) -> tuple[str, str]:
    if isinstance(shape, StructureShape):
        return "structure", repr(shape.name)
    if isinstance(shape, ListShape):
        return "list", member(shape.member.serialization.get("name", "member"), shape.member, protocol)
    if isinstance(shape, MapShape):
        key = member(shape.key.serialization.get("name", "key"), shape.key, protocol)
        value = member(shape.value.serialization.get("name", "value"), shape.value, protocol)
        return "map", f"({key}, {value})"
    return str(shape.type_name), ""
