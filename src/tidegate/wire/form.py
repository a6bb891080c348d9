"""Form bodies of the query protocols: `Filter.1.Value.2=x` as nested values, within limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tidegate.api.shape import Member
from tidegate.wire.timestamps import parse_timestamp
from tidegate.wire.validation import WireError

MOST_PARAMETERS = 5000
DEEPEST = 20

Tree = dict[str, Any]
"""Parameter names split at their dots; a leaf is under the key ''."""


def parse_form(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string or a form. Raises WireError."""
    try:
        return parse_qsl(
            text, keep_blank_values=True, strict_parsing=False, max_num_fields=MOST_PARAMETERS, errors="strict"
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise WireError("MalformedQueryString", "The query string is malformed or too long.") from error


def to_tree(pairs: list[tuple[str, str]]) -> Tree:
    """Raises WireError for names that are too deep, and for a parameter that is given twice."""
    root: Tree = {}
    for name, value in pairs:
        node = root
        steps = name.split(".")
        if len(steps) > DEEPEST:
            raise WireError("MalformedQueryString", f"The parameter {name[:100]} is nested too deeply.")
        if "" in steps:
            raise WireError("MalformedQueryString", f"The parameter '{name[:100]}' has an empty part in its name.")
        for step in steps:
            node = node.setdefault(step, {})
        if "" in node:
            raise WireError("MalformedQueryString", f"The parameter {name[:100]} is given more than once.")
        node[""] = value
    return root


class FormReader:
    """Values for `msgspec.convert`, read by the members' request names. is_ec2: flat lists, no unknown parameters."""

    def __init__(self, members: Mapping[str, tuple[Member, ...]], *, is_ec2: bool) -> None:
        self._members = members
        self._is_ec2 = is_ec2

    def structure(self, name: str, tree: Tree) -> dict[str, Any]:
        """The members that are given, by their modelled names. Raises WireError."""
        found = {}
        if self._is_ec2:
            known = {member.request.partition(".")[0] for member in self._members.get(name, ())}
            for given in tree.keys() - known - {""}:
                raise WireError("UnknownParameter", f"The parameter {given[:100]} is not recognized")
        for member in self._members.get(name, ()):
            below = _find(tree, member.request)
            if below is not None:
                value = self._value(member, below)
                if value is not None:
                    found[member.name] = value
        return found

    def _value(self, member: Member, tree: Tree) -> Any:
        match member.type:
            case "structure":
                return tree[""] if tree.get("") else self.structure(member.of, tree)
            case "list":
                return self._list(member, tree)
            case "map":
                return self._map(member, tree)
            case "timestamp":
                return parse_timestamp(tree.get(""))
            case "string" | "blob":
                return tree.get("")
            case _:  # as a number or truth value, msgspec would read `null` as an absence
                text = tree.get("")
                return [text] if text and text.lower() == "null" else text

    def _list(self, member: Member, tree: Tree) -> Any:
        items = tree
        if not (self._is_ec2 or member.is_flat):
            items = tree.get(member.of.request, {})
        if not items.keys() - {""} and "" in tree:
            # `List=` is an empty one; any other value is not a list: the check against the shape says so
            return tree[""] or []
        return [self._value(member.of, items[number]) for number in _numbers(items)]

    def _map(self, member: Member, tree: Tree) -> dict[str, Any]:
        key, value = member.of
        entries = tree if member.is_flat else tree.get("entry", {})
        pairs = (entries[number] for number in _numbers(entries))
        return {
            pair[key.request].get("", ""): self._value(value, pair.get(value.request, {}))
            for pair in pairs
            if key.request in pair
        }


def _find(tree: Tree, path: str) -> Tree | None:
    node: Any = tree
    for step in path.split("."):
        node = node.get(step)
        if node is None:
            return None
    found: Tree = node
    return found


def _numbers(tree: Tree) -> list[str]:
    for key in tree:
        if key and not (key.isascii() and key.isdigit() and len(key) < 10):
            raise WireError("MalformedQueryString", f"'{key[:100]}' stands where an item's number is due.")
    return sorted(tree.keys() - {""}, key=int)
