"""Condition operators, one table: the policy's value, the request's, and whether it holds."""

from __future__ import annotations

import pytest

from tidegate.services.iam.policy.conditions import UnknownOperator, compile_condition
from tidegate.services.iam.policy.pattern import Context, Value


def holds(name: str, wanted: str | list[str], given: Value | None, more: Context | None = None) -> bool:
    values = [wanted] if isinstance(wanted, str) else wanted
    context: dict[str, Value] = dict(more or {})
    if given is not None:
        context["aws:key"] = given
    return compile_condition(name, "aws:Key", values, has_variables=True).holds(context)


@pytest.mark.parametrize(
    "operator, wanted, given, expected",
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringEqualsIgnoreCase", "Team*", "tEAM*", True),
        ("StringEqualsIgnoreCase", "Team*", "teams", False),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "a*c?", "abbbcd", True),
        ("StringLike", "a*c?", "abbbc", False),
        ("StringNotLike", "a*", "abc", False),
        ("stringlike", "a*", "abc", True),
        ("NumericEquals", "3", "3.0", True),
        ("NumericNotEquals", "3", "4", True),
        ("NumericLessThan", "3", "2", True),
        ("NumericLessThan", "3", "3", False),
        ("NumericLessThanEquals", "3", "3", True),
        ("NumericGreaterThan", "3", "10", True),
        ("NumericGreaterThanEquals", "3", "3", True),
        ("NumericEquals", "three", "three", False),
        ("DateGreaterThan", "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", True),
        ("DateLessThan", "2024-01-01", "2023-12-31T23:59:59Z", True),
        ("DateLessThan", "1704067200", "2023-12-31T23:59:59Z", True),
        ("DateEquals", "2024-01-01T01:00:00+01:00", "1704067200", True),
        ("DateNotEquals", "2024-01-01", "2024-01-02", True),
        ("DateLessThanEquals", "2024-01-01", "2024-01-01", True),
        ("DateGreaterThanEquals", "2024-01-01", "2023-12-31", False),
        ("DateLessThan", "soon", "2024-01-01", False),
        ("Bool", "true", "TRUE", True),
        ("Bool", "true", "false", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.1", "10.0.0.1", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "10.0.0.0/8", "2001:db8::1", False),
        ("IpAddress", "here", "10.1.2.3", False),
        ("NotIpAddress", "10.0.0.0/8", "11.1.2.3", True),
        ("ArnLike", "arn:aws:ecs:*:1:task/*", "arn:aws:ecs:eu:1:task/a/b", True),
        ("ArnLike", "arn:aws:*:task/*", "arn:aws:ecs:eu:1:task/a", False),
        ("ArnEquals", "arn:aws:ecs:*:1:task/*", "arn:aws:ecs:eu:1:task/a", True),
        ("ArnLike", "*", "arn:aws:ecs:eu:1:task/a", True),
        ("ArnLike", "arn:aws:ecs:*:1:task/*", "task/a", False),
        ("ArnNotLike", "arn:aws:ecs:*:1:task/*", "arn:aws:ecs:eu:2:task/a", True),
        ("ArnNotEquals", "arn:aws:ecs:*:1:task/*", "arn:aws:ecs:eu:1:task/a", False),
    ],
)
def test_an_operator(operator: str, wanted: str | list[str], given: str, expected: bool) -> None:
    """As the user guide describes it."""
    assert holds(operator, wanted, given) is expected


@pytest.mark.parametrize(
    "operator, expected",
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
        ("IpAddress", False),
        ("NotIpAddress", True),
    ],
)
def test_an_absent_key(operator: str, expected: bool) -> None:
    """Fails what must match, passes what must not match; IfExists passes."""
    assert holds(operator, "x", None) is expected
    assert holds(operator, "x", ()) is expected


@pytest.mark.parametrize("wanted, given, expected", [("true", None, True), ("true", "x", False), ("false", "x", True)])
def test_null(wanted: str, given: str | None, expected: bool) -> None:
    """`true`: the key must be absent."""
    assert holds("Null", wanted, given) is expected


@pytest.mark.parametrize(
    "operator, given, expected",
    [
        ("ForAllValues:StringLike", ("team", "tier"), True),
        ("ForAllValues:StringLike", ("team", "cost"), False),
        ("ForAnyValue:StringLike", ("team", "cost"), True),
        ("ForAnyValue:StringLike", ("cost",), False),
        ("ForAllValues:StringNotLike", ("cost", "name"), True),
        ("ForAllValues:StringNotLike", ("cost", "team"), False),
        ("ForAnyValue:StringNotLike", ("cost", "team"), True),
        ("StringLike", ("cost", "team"), True),
        ("StringNotLike", ("cost", "team"), False),
    ],
)
def test_several_values(operator: str, given: tuple[str, ...], expected: bool) -> None:
    """All of the request's values, or one of them."""
    assert holds(operator, "t*", given) is expected


def test_variables() -> None:
    """Stand for what the request has, as plain text; a missing one matches nothing, unless it has a default."""
    me = {"aws:username": "a*b"}
    assert holds("StringLike", "${aws:username}/*", "a*b/c", me)
    assert not holds("StringLike", "${aws:username}/*", "axb/c", me)
    assert not holds("StringLike", "${aws:username}/*", "/c")
    assert holds("StringEquals", "${aws:PrincipalTag/team, 'all'}", "all")
    assert holds("StringEquals", "${aws:PrincipalTag/Team, 'all'}", "red", {"aws:principaltag/team": "red"})
    assert holds("StringEqualsIgnoreCase", "${aws:username}", "A*B", me)
    assert holds("StringLike", "${*}${?}${$}", "*?$")
    assert not holds("StringLike", "${*}", "anything")
    assert holds("ArnLike", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::1:user/a*b", me)
    assert not holds("StringEquals", "${aws:tagkeys}", "a", {"aws:tagkeys": ("a", "b")})


@pytest.mark.parametrize("name", ["StringMatches", "NullIfExists", "ForSome:StringEquals", "ForAllValues:Null", ""])
def test_unknown_operators(name: str) -> None:
    """Are told."""
    with pytest.raises(UnknownOperator):
        compile_condition(name, "aws:Key", ["x"], has_variables=True)
