"""What a service model's shapes are in Python: annotations with the model's constraints, names that are free."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from botocore import xform_name
from botocore.model import ListShape, MapShape, Shape, StructureShape

RESERVED = {"str", "int", "float", "bool", "bytes", "list", "dict", "object", "field", "tuple"}
"""Names that annotations below use: a member of that name would hide them in its class."""
TAKEN_CLASSES = {
    "Operation",
    "Context",
    "Shape",
    "ServiceError",
    "Member",
    "Meta",
    "Timestamp",
    "Integer",
    "Long",
    "Annotated",
    "Any",
    "Literal",
    "Protocol",
    "Api",
}
SCALARS = {
    "integer": "Integer",
    "long": "Long",
    "float": "float",
    "double": "float",
    "boolean": "bool",
    "blob": "bytes",
    "timestamp": "Timestamp",
}
WIDTHS = {"Integer": 32, "Long": 64}


def class_name(shape: Shape) -> str:
    """The structure's or enumeration's own name, unless an import has it."""
    return f"{shape.name}_" if shape.name in TAKEN_CLASSES else shape.name


def member_name(name: str) -> str:
    """snake_case, as botocore has it; with an underscore where Python or an annotation needs the name."""
    python = xform_name(name)
    return f"{python}_" if keyword.iskeyword(python) or python in RESERVED else python


def annotation(shape: Shape) -> str:
    """The annotation for a reference to `shape`, with length, range and pattern."""
    if isinstance(shape, StructureShape):
        return "Any" if shape.is_document_type else class_name(shape)
    if isinstance(shape, ListShape):
        return _constrained(f"tuple[{annotation(shape.member)}, ...]", shape)
    if isinstance(shape, MapShape):
        return _constrained(f"dict[{annotation(shape.key)}, {annotation(shape.value)}]", shape)
    if shape.type_name == "string":
        return class_name(shape) if shape.enum else _constrained("str", shape)
    return _constrained(SCALARS[shape.type_name], shape)


def _constrained(base: str, shape: Shape) -> str:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if base in WIDTHS and (least, most) != (None, None):  # a bound may be set once: both are then set here
        widest = 2 ** (WIDTHS[base] - 1)
        base, least, most = "int", -widest if least is None else least, widest - 1 if most is None else most
    is_sized = base == "str" or base.startswith(("tuple", "dict", "bytes"))
    names = ("min_length", "max_length") if is_sized else ("ge", "le")
    arguments = [
        f"{name}={value}"
        for name, value in zip(names, (least, most), strict=True)
        if value is not None and not (is_sized and value == 0)
    ]
    pattern = python_pattern(shape.metadata.get("pattern")) if base == "str" else None
    if pattern is not None:
        arguments.append(f"pattern={pattern!r}")
    if shape.metadata.get("sensitive"):
        arguments.append("extra={'sensitive': True}")
    return f"Annotated[{base}, Meta({', '.join(arguments)})]" if arguments else base


def python_pattern(pattern: str | None) -> str | None:
    """
    The pattern in Python's syntax, anchored as AWS reads it; None where Python's `re` can't take it.

    Left out are the Unicode classes (`\\p{L}`), which `re` does not know: services check those themselves.
    """
    if pattern is None or "\\p{" in pattern:
        return None
    # not ^ and $: $ is also before a newline at the end
    anchored = rf"\A(?:{pattern.removeprefix('^').removesuffix('$')})\Z"
    try:
        re.compile(anchored)
    except re.error:
        return None
    return anchored


def reachable(roots: Iterator[Shape | None]) -> list[Shape]:
    """All shapes that the roots lead to, by name."""
    seen: dict[str, Shape] = {}

    def visit(shape: Shape | None) -> None:
        if shape is None or shape.name in seen:
            return
        seen[shape.name] = shape
        if isinstance(shape, StructureShape):
            for member in shape.members.values():
                visit(member)
        elif isinstance(shape, ListShape):
            visit(shape.member)
        elif isinstance(shape, MapShape):
            visit(shape.key)
            visit(shape.value)

    for root in roots:
        visit(root)
    return [seen[name] for name in sorted(seen)]
