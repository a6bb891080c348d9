"""
What each operation needs: the actions and resources that its caller's policies must allow.

Each service has a table of its own beside its operations (`services/<service>/authorization.py`), one row an operation;
an operation without a row is refused to everybody but the root. Rows name resources by the ARN that the service itself
would use, whatever form the request has them in: a policy about an ARN is not evaded by a short name.

Source of the rows: Service Authorization Reference, "Actions, resources, and condition keys", by service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.api.shape import Context
from tidegate.store.store import Store

Conditions = Mapping[str, str | tuple[str, ...]]
"""Values by condition key."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that wants to be allowed: who sent it, and the records as they are."""

    ctx: Context
    store: Store


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that must be allowed."""

    action: str
    resource: str = "*"
    conditions: Conditions = field(default_factory=dict)


def everything(_: Ask, __: Any) -> Iterable[str]:
    """For operations that are about no resource in particular."""
    return ("*",)


def _no_conditions(_: Ask, __: Any) -> Conditions:
    return {}


def _nothing_else(_: Ask, __: Any) -> Iterable[Need]:
    return ()


def _no_tags(_: Ask, __: str) -> Mapping[str, str]:
    return {}


def _no_policy(_: Ask, __: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Row:
    """
    What one operation needs. The functions are given the request's typed arguments; they may raise the service's
    errors.
    """

    resources: Callable[[Ask, Any], Iterable[str]] = everything
    """ARNs: the action must be allowed on each."""
    conditions: Callable[[Ask, Any], Conditions] = _no_conditions
    """Condition keys of the service's own; those of tags are found without."""
    also: Callable[[Ask, Any], Iterable[Need]] = _nothing_else
    """Other actions that the operation takes."""
    action: str = ""
    """The action's name, where it is not the operation's."""
    is_free: bool = False
    """Needs no permission, or the operation itself decides."""


FREE = Row(is_free=True)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one service. prefix: of its actions and condition keys."""

    prefix: str
    rows: Mapping[str, Row]
    find_tags: Callable[[Ask, str], Mapping[str, str]] = _no_tags
    """The tags of the resource with this ARN."""
    find_policy: Callable[[Ask, str], str] = _no_policy
    """The policy that the resource with this ARN carries itself."""
    takes_session_tokens: bool = True
    """Whether what GetSessionToken gave out (without a second factor, which nobody has here) is good for it."""
    denial: str = "{}"
    """What a refusal is told in, where the service has words around it."""


def tag_conditions(arguments: object) -> dict[str, str | tuple[str, ...]]:
    """aws:RequestTag/... and aws:TagKeys, from whatever form the request has its tags in."""
    found: dict[str, str | tuple[str, ...]] = {}
    keys: list[str] = list(getattr(arguments, "tag_keys", None) or ())
    given = getattr(arguments, "tags", None) or ()
    pairs = list(given.items()) if isinstance(given, Mapping) else [_pair(tag) for tag in given]
    for specification in getattr(arguments, "tag_specifications", None) or ():
        pairs += [_pair(tag) for tag in specification.tags or ()]
    for key, value in pairs:
        keys.append(key)
        if value is not None:
            found[f"aws:RequestTag/{key}"] = value
    if keys:
        found["aws:TagKeys"] = tuple(keys)
    return found


def _pair(tag: Any) -> tuple[str, str | None]:
    """A tag, or a key alone."""
    return (tag, None) if isinstance(tag, str) else (tag.key or "", tag.value or "")
