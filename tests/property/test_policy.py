"""The policy engine: what no policies and no request can make untrue."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.services.iam.policy.conditions import OPERATORS, compile_condition
from tidegate.services.iam.policy.decision import Grants, Question, decide, find_effect
from tidegate.services.iam.policy.document import MalformedPolicy, Policy, read_policy
from tidegate.services.iam.policy.pattern import compile_pattern

ACTIONS = ("ecs:RunTask", "ecs:StopTask", "iam:PassRole", "logs:PutLogEvents")
RESOURCES = ("arn:aws:ecs:eu:1:task/a/b", "arn:aws:ecs:eu:1:task/a/c", "arn:aws:iam::1:role/r", "*")
KEYS = ("aws:username", "ecs:cluster", "aws:TagKeys")

action_patterns = st.sampled_from([*ACTIONS, "*", "ecs:*", "*:*Task", "iam:Pass????", "ECS:runtask"])
resource_patterns = st.sampled_from(
    [*RESOURCES, "arn:aws:ecs:*", "arn:aws:ecs:eu:1:task/${aws:username}/*", "arn:aws:iam::1:role/?"]
)
conditions = st.dictionaries(
    st.sampled_from(["StringEquals", "StringNotLike", "ForAnyValue:StringLike", "StringLikeIfExists", "Null"]),
    st.dictionaries(st.sampled_from(KEYS), st.lists(st.sampled_from(["a", "b*", "true"]), max_size=2), min_size=1),
    max_size=2,
)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None) -> dict[str, Any]:
    actions = draw(st.sampled_from(["Action", "NotAction"]))
    resources = draw(st.sampled_from(["Resource", "NotResource"]))
    return {
        "Effect": effect or draw(st.sampled_from(["Allow", "Deny"])),
        actions: draw(st.lists(action_patterns, min_size=1, max_size=3)),
        resources: draw(st.lists(resource_patterns, min_size=1, max_size=3)),
        "Condition": draw(conditions),
    }


def policy(*parts: dict[str, Any]) -> Policy:
    return read_policy(json.dumps({"Version": "2012-10-17", "Statement": list(parts)}))


policies = st.lists(statements(), min_size=1, max_size=4).map(lambda parts: policy(*parts))
documents = st.lists(policies, max_size=3).map(tuple)
limits = st.none() | documents
questions = st.builds(
    Question,
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.dictionaries(
        st.sampled_from([key.lower() for key in KEYS]), st.sampled_from(["a", "bb", ("a", "bb"), ()]), max_size=3
    ),
)
grants = st.builds(Grants, documents, limits, limits)


@given(grants, questions)
def test_a_deny_wins_wherever_it_stands(granted: Grants, question: Question) -> None:
    """In an identity's policy, a boundary or a session's: whatever all the others say."""
    deny = (policy({"Effect": "Deny", "Action": question.action, "Resource": question.resource}),)
    for denied in (
        Grants(granted.identity + deny, granted.boundary, granted.session),
        Grants(granted.identity, (granted.boundary or ()) + deny, granted.session),
        Grants(granted.identity, granted.boundary, (granted.session or ()) + deny),
    ):
        found = decide(denied, question)
        assert not found.is_allowed
        assert found.is_explicit


@given(grants, statements("Allow"), questions)
def test_an_allow_never_takes_access_away(granted: Grants, more: dict[str, Any], question: Question) -> None:
    """Whatever was allowed stays so with another allowing statement."""
    if decide(granted, question).is_allowed:
        wider = Grants((*granted.identity, policy(more)), granted.boundary, granted.session)
        assert decide(wider, question).is_allowed


@given(grants, statements("Deny"), questions)
def test_a_deny_never_gives_access(granted: Grants, more: dict[str, Any], question: Question) -> None:
    """Whatever was refused stays so with another denying statement."""
    if not decide(granted, question).is_allowed:
        narrower = Grants((*granted.identity, policy(more)), granted.boundary, granted.session)
        assert not decide(narrower, question).is_allowed


@given(grants, questions)
def test_limits_only_limit(granted: Grants, question: Question) -> None:
    """A boundary or a session's policies allow nothing that the identity's policies don't; nothing allows nothing."""
    if decide(granted, question).is_allowed:
        assert decide(Grants(granted.identity), question).is_allowed
    assert not decide(Grants((), granted.boundary, granted.session), question).is_allowed


@given(st.lists(policies, max_size=4), questions, st.randoms())
def test_the_order_of_policies_decides_nothing(found: list[Policy], question: Question, random: Any) -> None:
    """A set of policies says the same in any order."""
    before = find_effect(found, question)
    random.shuffle(found)
    assert find_effect(found, question) == before


texts = st.text(alphabet="ab:/*?.\n", max_size=12)


@given(texts, texts)
def test_wildcards_match_as_a_plain_regular_expression_does(pattern: str, text: str) -> None:
    """`*` is any number of characters, `?` is one, everything else is itself."""
    reference = "".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(sign, re.escape(sign)) for sign in pattern)
    assert compile_pattern(pattern).matches(text, {}) == (re.fullmatch(reference, text) is not None)


@given(texts, texts, texts)
def test_what_a_variable_stands_for_is_no_pattern(before: str, value: str, text: str) -> None:
    """${key} matches the value to the letter, whatever wildcards are in it."""
    pattern = compile_pattern(f"{before}${{aws:username}}")
    reference = "".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(sign, re.escape(sign)) for sign in before)
    expected = re.fullmatch(reference + re.escape(value), text) is not None
    assert pattern.matches(text, {"aws:username": value}) == expected


HOSTILE = ("*a" * 3000, "a*" * 3000, "*?" * 3000, "a*" * 1500 + "?*b" * 1000, "?" * 6000, "*" * 6000 + "b")


def test_hostile_patterns_cost_no_more_than_length_times_length() -> None:
    """Patterns as long as a policy can be, against the longest ARN there is, end at once."""
    began = time.process_time()
    for pattern in HOSTILE:
        compiled = compile_pattern(pattern)
        for text in ("a" * 2048, "a" * 2047 + "c", "b" * 2048):
            compiled.matches(text, {})
    assert time.process_time() - began < 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
members = st.sampled_from(
    ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal"]
)
sensible = st.sampled_from(["Allow", "Deny", "*", "ecs:*", {"AWS": "*"}, {"StringLike": {"aws:a": ["b"]}}])
almost = st.fixed_dictionaries(
    {"Version": st.sampled_from(["2012-10-17", "2008-10-17", 1])},
    optional={"Statement": st.lists(st.dictionaries(members, sensible | json_values), max_size=3), "Id": json_values},
)


@settings(max_examples=300)
@given(
    st.text(max_size=30) | almost.map(json.dumps) | json_values.map(json.dumps), st.sampled_from(["identity", "trust"])
)
def test_no_document_breaks_the_reader(text: str, kind: Any) -> None:
    """Any text is a policy, or refused."""
    with suppress(MalformedPolicy):
        read_policy(text, kind)


@given(st.sampled_from(sorted(OPERATORS)), st.text(max_size=8), st.text(max_size=8))
def test_an_operator_and_its_negation_never_agree(name: str, wanted: str, given_value: str) -> None:
    """Of a key that is there, exactly one of the two holds; and no value breaks either."""
    negated = {"string": "stringnot", "arn": "arnnot", "numeric": "numericnot", "date": "datenot", "ip": "notip"}
    twin = next((name.replace(a, b, 1) for a, b in negated.items() if name.startswith(a)), None)
    one = compile_condition(name, "aws:k", [wanted], has_variables=False).holds({"aws:k": given_value})
    if twin in OPERATORS:
        other = compile_condition(twin, "aws:k", [wanted], has_variables=False).holds({"aws:k": given_value})
        assert one != other
