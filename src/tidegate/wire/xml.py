"""Answers of the query protocols: typed shapes as XML, by the members' answer names."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import msgspec

from tidegate.api.shape import Member, Shape
from tidegate.wire.timestamps import format_timestamp

_NO_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def xml_text(text: str) -> str:
    """Escaped; what XML has no way to write (control characters) becomes U+FFFD."""
    return escape(_NO_XML.sub("\ufffd", text), {"\r": "&#13;"})


class XmlWriter:
    """Writes structures."""

    def __init__(self, members: Mapping[str, tuple[Member, ...]]) -> None:
        self._members = members

    def structure(self, name: str, value: Shape) -> str:
        """The elements of a structure's members, without one around them."""
        return "".join(self._structure(name, value)[1])

    def _structure(self, name: str, shape: Shape) -> tuple[str, list[str]]:
        names = _wire_names(type(shape))
        by_wire_name = {names[python]: value for python, value in msgspec.structs.asdict(shape).items()}
        attributes, elements = "", []
        for member in self._members.get(name, ()):
            value = by_wire_name.get(member.name)
            if value is None:
                continue
            if member.attribute:
                text = _NO_XML.sub("\ufffd", _scalar(member, value))
                attributes += f" {member.answer}={quoteattr(text)}"
            else:
                elements.append(self._element(member, value))
        return attributes, elements

    def _element(self, member: Member, value: Any) -> str:
        name = member.answer
        match member.type:
            case "structure":
                attributes, elements = self._structure(member.of, value)
                return f"<{name}{attributes}>{''.join(elements)}</{name.partition(' ')[0]}>"
            case "list":
                item = member.of._replace(answer=name) if member.is_flat else member.of
                items = "".join(self._element(item, one) for one in value)
                return items if member.is_flat else f"<{name}>{items}</{name}>"
            case "map":
                return self._map(member, value)
            case _:
                return f"<{name}>{xml_text(_scalar(member, value))}</{name}>"

    def _map(self, member: Member, value: Mapping[str, Any]) -> str:
        key, inner = member.of
        entry = member.answer if member.is_flat else "entry"
        entries = "".join(
            f"<{entry}>{self._element(key, k)}{self._element(inner, v)}</{entry}>" for k, v in value.items()
        )
        return entries if member.is_flat else f"<{member.answer}>{entries}</{member.answer}>"


@lru_cache(maxsize=1024)
def _wire_names(kind: type[Shape]) -> Mapping[str, str]:
    return {field.name: field.encode_name for field in msgspec.structs.fields(kind)}


def _scalar(member: Member, value: Any) -> str:
    match member.type:
        case "boolean":
            return "true" if value else "false"
        case "blob":
            return base64.b64encode(value).decode()
        case "timestamp":
            return format_timestamp(value, member.timestamp)
        case "float" | "double":
            return _number(value)
        case _:
            return str(value)


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if value == int(value) else repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
