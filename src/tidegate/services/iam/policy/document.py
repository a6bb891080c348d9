"""
A policy document, from its text to what it says: parsed once, kept by its text.

The texts of the refusals are AWS's where one is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from tidegate.services.iam.policy.conditions import Condition, UnknownOperator, compile_condition
from tidegate.services.iam.policy.pattern import Context, Pattern, compile_pattern
from tidegate.services.iam.policy.principals import Asker, Principals, Trust, read_aws_principals

Kind = Literal["identity", "trust", "resource"]
"""Who carries it: a user, group, role or session; a role that says who may assume it; a resource (a secret)."""

_SYNTAX = "Syntax errors in policy."
_VERSIONS = ("2012-10-17", "2008-10-17")
_MEMBERS = {"Version", "Id", "Statement"}
_STATEMENT_MEMBERS = {
    *("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal")
}
_SID = re.compile(r"[A-Za-z0-9]*")
_ACTION = re.compile(r"(?P<vendor>[^:]*):(?P<name>.*)", re.DOTALL)
_VENDOR = re.compile(r"[A-Za-z0-9-]+|\*")
_ARN_HEAD = re.compile(r"arn:[^:]*:[^:]*(:.*)?", re.DOTALL)
_PARTITION = re.compile(r"aws(-[a-z]+)*|[*?]|\*.*")
_CONDITION_KEY = re.compile(r"[A-Za-z0-9-]+:.+", re.DOTALL)


class MalformedPolicy(Exception):
    """The document can't be a policy of its kind; the text is for the caller."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. What is compiled of Action is in lower case, as action names have no case."""

    is_allow: bool
    actions: tuple[Pattern, ...]
    are_actions_excluded: bool
    """NotAction."""
    resources: tuple[Pattern, ...]
    are_resources_excluded: bool
    conditions: tuple[Condition, ...]
    principals: Principals | None = None
    are_principals_excluded: bool = False

    def covers(self, action: str, resource: str, context: Context) -> bool:
        """Is it about this request? `action` in lower case. A trust policy's is about the role it is of."""
        if any(p.matches(action, context) for p in self.actions) == self.are_actions_excluded:
            return False
        if self.resources and (
            any(p.matches(resource, context) for p in self.resources) == self.are_resources_excluded
        ):
            return False
        return all(condition.holds(context) for condition in self.conditions)

    def trust(self, asker: Asker) -> Trust:
        """How far it is about this principal."""
        found = self.principals.trust(asker) if self.principals is not None else Trust.NONE
        if self.are_principals_excluded:
            return Trust.NONE if found else Trust.DIRECT
        return found


@dataclass(frozen=True, slots=True)
class Policy:
    """A document, ready to be asked."""

    statements: tuple[Statement, ...]


@lru_cache(maxsize=512)
def read_policy(text: str, kind: Kind = "identity") -> Policy:
    """Raises MalformedPolicy."""
    document = _load(text)
    if not isinstance(document, dict) or document.keys() - _MEMBERS or "Statement" not in document:
        raise MalformedPolicy(_SYNTAX)
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise MalformedPolicy(_SYNTAX)
    if kind == "identity" and version != "2012-10-17":
        raise MalformedPolicy("Policy document must be version 2012-10-17 or greater.")
    raw = document["Statement"]
    statements = raw if isinstance(raw, list) else [raw]
    if not statements:
        raise MalformedPolicy(_SYNTAX)
    sids = [statement["Sid"] for statement in statements if isinstance(statement, dict) and statement.get("Sid")]
    if len(set(map(str, sids))) != len(sids):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    reader = _Reader(kind, has_variables=version == "2012-10-17")
    return Policy(tuple(reader.statement(statement) for statement in statements))


def _load(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy(_SYNTAX) from error


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is given more than once")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


class _Reader:
    """Reads the statements of one document."""

    def __init__(self, kind: Kind, *, has_variables: bool) -> None:
        self._kind = kind
        self._has_variables = has_variables

    def statement(self, raw: Any) -> Statement:
        if not isinstance(raw, dict) or raw.keys() - _STATEMENT_MEMBERS or raw.get("Effect") not in ("Allow", "Deny"):
            raise MalformedPolicy(_SYNTAX)
        sid = raw.get("Sid", "")
        if not isinstance(sid, str) or not (_SID.fullmatch(sid) or self._kind == "trust"):
            raise MalformedPolicy(_SYNTAX)
        actions, are_actions_excluded = self._one_of(raw, "Action", "Policy statement must contain actions.")
        principals, are_principals_excluded = self._principals(raw)
        resources: tuple[str, ...] = ()
        are_resources_excluded = False
        if self._kind != "trust":
            resources, are_resources_excluded = self._one_of(
                raw, "Resource", "Policy statement must contain resources."
            )
        return Statement(
            is_allow=raw["Effect"] == "Allow",
            actions=tuple(self._action(action) for action in actions),
            are_actions_excluded=are_actions_excluded,
            resources=tuple(self._resource(resource) for resource in resources),
            are_resources_excluded=are_resources_excluded,
            conditions=tuple(self._conditions(raw.get("Condition", {}))),
            principals=principals,
            are_principals_excluded=are_principals_excluded,
        )

    def _one_of(self, raw: Mapping[str, Any], name: str, missing: str) -> tuple[tuple[str, ...], bool]:
        """The values of a member or of its negation, of which exactly one is there."""
        given = [each for each in (name, f"Not{name}") if each in raw]
        if len(given) == 2:
            raise MalformedPolicy(_SYNTAX)
        values = _texts(raw[given[0]]) if given else ()
        if not values:
            raise MalformedPolicy(missing)
        return values, given[0] != name

    def _action(self, action: str) -> Pattern:
        if action != "*":
            match = _ACTION.fullmatch(action)
            if match is None:
                raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            if not _VENDOR.fullmatch(match["vendor"]):
                raise MalformedPolicy(f"Vendor {match['vendor']} is not valid")
            if self._kind == "trust" and match["vendor"].lower() != "sts":
                raise MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
        elif self._kind == "trust":
            raise MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
        return compile_pattern(action.lower(), has_variables=False)

    def _resource(self, resource: str) -> Pattern:
        if resource != "*":
            if not _ARN_HEAD.fullmatch(resource):
                raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')
            named = resource.split(":", 2)[1]
            if not _PARTITION.fullmatch(named):
                raise MalformedPolicy(f'Partition "{named}" is not valid for resource "{resource}".')
            missing = 5 - resource.count(":")
            resource += ":*" * missing
        return compile_pattern(resource, has_variables=self._has_variables)

    def _conditions(self, raw: Any) -> Iterable[Condition]:
        if not isinstance(raw, dict):
            raise MalformedPolicy(_SYNTAX)
        for name, keys in raw.items():
            if not isinstance(keys, dict) or not keys:
                raise MalformedPolicy(_SYNTAX)
            for key, values in keys.items():
                if not _CONDITION_KEY.fullmatch(key):
                    raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
                try:
                    yield compile_condition(name, key, _scalars(values), has_variables=self._has_variables)
                except UnknownOperator as error:
                    raise MalformedPolicy(_SYNTAX) from error

    def _principals(self, raw: Mapping[str, Any]) -> tuple[Principals | None, bool]:
        given = [name for name in ("Principal", "NotPrincipal") if name in raw]
        if self._kind == "identity":
            if given:
                raise MalformedPolicy("Policy document should not specify a principal.")
            return None, False
        if self._kind == "trust" and ("Resource" in raw or "NotResource" in raw):
            raise MalformedPolicy("Has prohibited field Resource")
        if len(given) != 1 or (given == ["NotPrincipal"] and raw["Effect"] == "Allow"):
            raise MalformedPolicy("Missing required field Principal")
        return _read_principals(raw[given[0]]), given == ["NotPrincipal"]


def _read_principals(raw: Any) -> Principals:
    if raw == "*":
        return Principals(is_everyone=True)
    if not isinstance(raw, dict) or not raw:
        raise MalformedPolicy(_SYNTAX)
    named = Principals()
    for kind, values in raw.items():
        texts = _texts(values)
        if kind == "AWS":
            found = read_aws_principals(texts)
            if isinstance(found, str):
                raise MalformedPolicy(f'Invalid principal in policy: "AWS":"{found}"')
            named = Principals(found.is_everyone, found.accounts, found.arns, named.services)
        elif kind == "Service":
            wrong = [text for text in texts if not re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", text)]
            if wrong:
                raise MalformedPolicy(f'Invalid principal in policy: "SERVICE":"{wrong[0]}"')
            named = Principals(named.is_everyone, named.accounts, named.arns, frozenset(texts))
        elif kind not in ("Federated", "CanonicalUser"):  # nobody here comes that way
            raise MalformedPolicy(_SYNTAX)
    return named


def _texts(raw: Any) -> tuple[str, ...]:
    """One string or a list of them."""
    values = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(value, str) for value in values):
        raise MalformedPolicy(_SYNTAX)
    return tuple(values)


def _scalars(raw: Any) -> Sequence[str]:
    """The values of a condition: strings, numbers and truth values, one or a list of them."""
    values = raw if isinstance(raw, list) else [raw]
    found = []
    for value in values:
        if isinstance(value, bool):
            found.append("true" if value else "false")
        elif isinstance(value, str | int | float):
            found.append(str(value))
        else:
            raise MalformedPolicy(_SYNTAX)
    return found
