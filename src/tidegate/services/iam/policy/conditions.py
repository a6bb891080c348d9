"""
The operators of a Condition element.

Within one key the values are alternatives; keys and operators must all hold. A negated operator holds where none of its
values matches, and where the key is absent. Source: IAM user guide, "Condition operators" and "Set operators".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Literal

from tidegate.services.iam.policy.pattern import Context, compile_pattern

Test = Callable[[str, Context], bool]
"""Does this value of the request match one value of the policy?"""
Build = Callable[[str, bool], Test]
"""From a policy's value (and if it may hold variables) to its test."""
Quantifier = Literal["", "all", "any"]

_ARN_PARTS = 6


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator."""

    key: str
    """In lower case."""
    tests: tuple[Test, ...]
    is_negated: bool = False
    is_null: bool = False
    """The operator Null: the tests are asked if the key is absent."""
    holds_if_absent: bool = False
    """...IfExists."""
    quantifier: Quantifier = ""

    def holds(self, context: Context) -> bool:
        """For a request that is like `context`."""
        found = context.get(self.key)
        values = (found,) if isinstance(found, str) else found or ()
        if self.is_null:
            return self._matches("false" if values else "true", context)
        if not values:
            if self.holds_if_absent or self.quantifier == "all":
                return True
            return self.is_negated and self.quantifier == ""
        if self.quantifier == "":
            return any(self._matches(value, context) for value in values) != self.is_negated
        each = (self._matches(value, context) != self.is_negated for value in values)
        return all(each) if self.quantifier == "all" else any(each)

    def _matches(self, value: str, context: Context) -> bool:
        return any(test(value, context) for test in self.tests)


class UnknownOperator(Exception):
    """There is no such operator."""


def compile_condition(name: str, key: str, values: Sequence[str], *, has_variables: bool) -> Condition:
    """E.g. `ForAnyValue:StringLikeIfExists`, `aws:TagKeys`, ["a*"]. Raises UnknownOperator."""
    prefix, colon, rest = name.partition(":")
    quantifier = _QUANTIFIERS.get(prefix.lower()) if colon else ""
    if quantifier is None:
        raise UnknownOperator(name)
    word = (rest if colon else prefix).lower()
    plain = word.removesuffix("ifexists")
    if plain == "null":
        if word != plain or quantifier:
            raise UnknownOperator(name)
        return Condition(key.lower(), tuple(_truth(value, False) for value in values), is_null=True)
    build, is_negated = OPERATORS.get(plain, (None, False))
    if build is None:
        raise UnknownOperator(name)
    return Condition(
        key=key.lower(),
        tests=tuple(build(value, has_variables) for value in values),
        is_negated=is_negated,
        holds_if_absent=word != plain,
        quantifier=quantifier,
    )


_QUANTIFIERS: dict[str, Quantifier] = {"forallvalues": "all", "foranyvalue": "any"}


def _equal(value: str, has_variables: bool) -> Test:
    return compile_pattern(value, has_wildcards=False, has_variables=has_variables).matches


def _like(value: str, has_variables: bool) -> Test:
    return compile_pattern(value, has_variables=has_variables).matches


def _equal_ignoring_case(value: str, has_variables: bool) -> Test:
    pattern = compile_pattern(value, has_wildcards=False, has_variables=has_variables)

    def test(text: str, context: Context) -> bool:
        wanted = pattern.text(context)
        return wanted is not None and text.lower() == wanted.lower()

    return test


def _arn_like(value: str, has_variables: bool) -> Test:
    """Each of the six parts by itself, as the user guide has it; fewer are no ARN and match nothing."""
    parts = [compile_pattern(part, has_variables=has_variables) for part in _split_arn(value)]

    def test(text: str, context: Context) -> bool:
        given = text.split(":", _ARN_PARTS - 1)
        return len(given) == len(parts) == _ARN_PARTS and all(
            part.matches(one, context) for part, one in zip(parts, given, strict=True)
        )

    return test


def _split_arn(value: str) -> list[str]:
    """At its colons, but not at those within a variable's name."""
    parts, depth = [""], 0
    for sign in value:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == ":" and depth <= 0 and len(parts) < _ARN_PARTS:
            parts.append("")
        else:
            parts[-1] += sign
    return ["*"] * _ARN_PARTS if value == "*" else parts


def _numeric(compare: Callable[[float, float], bool]) -> Build:
    def build(value: str, _: bool) -> Test:
        wanted = _number(value)
        return lambda text, __: wanted is not None and (given := _number(text)) is not None and compare(given, wanted)

    return build


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _date(compare: Callable[[float, float], bool]) -> Build:
    def build(value: str, _: bool) -> Test:
        wanted = _seconds(value)
        return lambda text, __: wanted is not None and (given := _seconds(text)) is not None and compare(given, wanted)

    return build


def _seconds(text: str) -> float | None:
    """Since the epoch; from that number, or from ISO 8601."""
    number = _number(text)
    if number is not None:
        return number
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _truth(value: str, _: bool) -> Test:
    wanted = value.lower()
    return lambda text, __: text.lower() == wanted


def _in_network(value: str, _: bool) -> Test:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return lambda text, __: False

    def test(text: str, context: Context) -> bool:
        try:
            return ip_address(text) in network
        except ValueError:
            return False

    return test


OPERATORS: dict[str, tuple[Build, bool]] = {
    "stringequals": (_equal, False),
    "stringnotequals": (_equal, True),
    "stringequalsignorecase": (_equal_ignoring_case, False),
    "stringnotequalsignorecase": (_equal_ignoring_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "arnequals": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnlike": (_arn_like, False),
    "arnnotlike": (_arn_like, True),
    "numericequals": (_numeric(operator.eq), False),
    "numericnotequals": (_numeric(operator.eq), True),
    "numericlessthan": (_numeric(operator.lt), False),
    "numericlessthanequals": (_numeric(operator.le), False),
    "numericgreaterthan": (_numeric(operator.gt), False),
    "numericgreaterthanequals": (_numeric(operator.ge), False),
    "dateequals": (_date(operator.eq), False),
    "datenotequals": (_date(operator.eq), True),
    "datelessthan": (_date(operator.lt), False),
    "datelessthanequals": (_date(operator.le), False),
    "dategreaterthan": (_date(operator.gt), False),
    "dategreaterthanequals": (_date(operator.ge), False),
    "bool": (_truth, False),
    "binaryequals": (_equal, False),
    "ipaddress": (_in_network, False),
    "notipaddress": (_in_network, True),
}
"""By name in lower case: the test of one value, and if the operator holds where none matches."""
