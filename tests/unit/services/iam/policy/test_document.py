"""What a policy document may look like, and what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.services.iam.policy.decision import Grants, Question, decide, find_effect, find_trust
from tidegate.services.iam.policy.document import Kind, MalformedPolicy, read_policy
from tidegate.services.iam.policy.principals import Asker, Trust

ALLOW = {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}


def document(*statements: Any, **members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **members})


def refusal(text: str, kind: Kind = "identity") -> str:
    with pytest.raises(MalformedPolicy) as caught:
        read_policy(text, kind)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"Version":"2012-10-17"}',
        document(),
        document(ALLOW, Version="2020-01-01"),
        document(ALLOW, Extra=1),
        document({**ALLOW, "Effect": "allow"}),
        document({**ALLOW, "Colour": "red"}),
        document({**ALLOW, "NotAction": "ecs:*"}),
        document({**ALLOW, "NotResource": "*"}),
        document({**ALLOW, "Sid": "a b"}),
        document({**ALLOW, "Action": 5}),
        document({**ALLOW, "Condition": []}),
        document({**ALLOW, "Condition": {"StringEquals": "x"}}),
        document({**ALLOW, "Condition": {"StringMatches": {"aws:a": "x"}}}),
        document({**ALLOW, "Condition": {"StringEquals": {"aws:a": {"b": "c"}}}}),
        '{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":' + "[" * 5000 + "]" * 5000 + "}",
        document({**ALLOW, "Condition": {"NumericEquals": {"aws:a": float("nan")}}}),
    ],
)
def test_no_policy(text: str) -> None:
    """Is refused in AWS's words, whatever it is."""
    assert refusal(text) == "Syntax errors in policy."


@pytest.mark.parametrize(
    "text, message",
    [
        (json.dumps({"Statement": [ALLOW]}), "Policy document must be version 2012-10-17 or greater."),
        (
            document({**ALLOW, "Sid": "a"}, {**ALLOW, "Sid": "a"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "*"}), "Policy statement must contain resources."),
        (document({**ALLOW, "Action": []}), "Policy statement must contain actions."),
        (
            document({**ALLOW, "Action": "RunTask"}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document({**ALLOW, "Action": "e c:x"}), "Vendor e c is not valid"),
        (document({**ALLOW, "Resource": "mine"}), 'Resource mine must be in ARN format or "*".'),
        (
            document({**ALLOW, "Resource": "arn:other:s3:::a"}),
            'Partition "other" is not valid for resource "arn:other:s3:::a".',
        ),
        (document({**ALLOW, "Principal": "*"}), "Policy document should not specify a principal."),
        (
            document({**ALLOW, "Condition": {"StringEquals": {"username": "x"}}}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
    ],
)
def test_refused_with_the_reason(text: str, message: str) -> None:
    """AWS's texts."""
    assert refusal(text) == message


@pytest.mark.parametrize(
    "change, message",
    [
        ({"Action": "ecs:RunTask"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Action": "*"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"Principal": {"AWS": "somebody"}}, 'Invalid principal in policy: "AWS":"somebody"'),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:user/*"}},
         'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/*"'),
        ({"Principal": {"Service": "tasks"}}, 'Invalid principal in policy: "SERVICE":"tasks"'),
        ({"Principal": {"Robot": "x"}}, "Syntax errors in policy."),
        ({"Principal": {}}, "Syntax errors in policy."),
    ],
)  # fmt: skip
def test_no_trust_policy(change: dict[str, Any], message: str) -> None:
    """A trust policy names who, and no resource."""
    assert refusal(document({**TRUST, **change}), "trust") == message


def test_a_trust_policy_names_somebody() -> None:
    """Without Principal, or with an Allow for everybody but some, it is refused."""
    nobody = {k: v for k, v in TRUST.items() if k != "Principal"}
    assert refusal(document(nobody), "trust") == "Missing required field Principal"
    all_but = {**nobody, "NotPrincipal": {"AWS": "123456789012"}}
    assert refusal(document(all_but), "trust") == "Missing required field Principal"


def says(statement: dict[str, Any], action: str, resource: str = "*", version: str = "2012-10-17") -> str:
    policy = read_policy(document(statement, Version=version))
    return find_effect([policy], Question(action, resource, {"aws:username": "bo"}))


def test_what_a_statement_covers() -> None:
    """Actions have no case, resources have; Not... is about all others; variables and short ARNs are filled in."""
    assert says({**ALLOW, "Action": "ECS:run*"}, "ecs:RunTask") == "allow"
    only = {"Effect": "Allow", "NotAction": "ecs:*", "Resource": "*"}
    assert (says(only, "ecs:RunTask"), says(only, "iam:GetRole")) == ("none", "allow")
    mine = {**ALLOW, "Resource": "arn:aws:ecs:eu:1:task/${aws:username}/*"}
    assert says(mine, "ecs:RunTask", "arn:aws:ecs:eu:1:task/bo/x") == "allow"
    assert says(mine, "ecs:RunTask", "arn:aws:ecs:eu:1:task/BO/x") == "none"
    not_mine = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:ecs:*:*:task/bo/*"}
    assert says(not_mine, "ecs:RunTask", "arn:aws:ecs:eu:1:task/al/x") == "deny"
    assert says(not_mine, "ecs:RunTask", "arn:aws:ecs:eu:1:task/bo/x") == "none"
    assert says({**ALLOW, "Resource": "arn:aws:ecs"}, "ecs:RunTask", "arn:aws:ecs:eu:1:task/x") == "allow"


def test_the_old_version_has_no_variables() -> None:
    """In a trust policy of 2008-10-17 ${...} is plain text."""
    conditions = {"StringEquals": {"sts:ExternalId": "${aws:username}"}}
    for version, trust in (("2008-10-17", Trust.NONE), ("2012-10-17", Trust.DIRECT)):
        policy = read_policy(document({**TRUST, "Condition": conditions}, Version=version), "trust")
        question = Question("sts:AssumeRole", "*", {"aws:username": "bo", "sts:externalid": "bo"})
        assert find_trust(policy, Asker(service="ecs-tasks.amazonaws.com"), question) is trust


def test_whom_a_trust_policy_lets_in() -> None:
    """Its account (whose own policies decide then), a principal by name, a service, everybody; a denial wins."""
    user = "arn:aws:iam::123456789012:user/bo"
    bo = Asker(account="123456789012", arns=(user,))
    question = Question("sts:AssumeRole")

    def trust(*statements: dict[str, Any]) -> Trust | None:
        return find_trust(read_policy(document(*statements), "trust"), bo, question)

    def to(**principal: Any) -> dict[str, Any]:
        return {**TRUST, "Principal": principal}

    assert trust(TRUST) is Trust.NONE
    assert trust(to(AWS="123456789012")) is Trust.ACCOUNT
    assert trust(to(AWS="arn:aws:iam::123456789012:root")) is Trust.ACCOUNT
    assert trust(to(AWS=["999999999999", user])) is Trust.DIRECT
    assert trust(to(AWS="*")) is Trust.DIRECT
    assert trust({**TRUST, "Principal": "*"}) is Trust.DIRECT
    assert trust(to(AWS="999999999999")) is Trust.NONE
    assert trust(to(Federated="cognito-identity.amazonaws.com")) is Trust.NONE
    assert trust(to(AWS=user), {**to(AWS="123456789012"), "Effect": "Deny"}) is None
    but = {"Effect": "Deny", "Action": "sts:*", "NotPrincipal": {"AWS": user}}
    assert trust(to(AWS="123456789012"), but) is Trust.ACCOUNT
    assert find_trust(read_policy(document(to(AWS="*"), but), "trust"), Asker("123456789012"), question) is None


def test_limits() -> None:
    """A boundary and a session's policies must allow as well, and are named when they don't."""
    allow = (read_policy(document(ALLOW)),)
    deny = (read_policy(document({**ALLOW, "Effect": "Deny"})),)
    ask = Question("ecs:RunTask")

    def told(grants: Grants) -> str:
        found = decide(grants, ask)
        return "yes" if found.is_allowed else found.reason(ask.action)

    assert told(Grants(allow)) == "yes"
    assert told(Grants(allow, allow, allow)) == "yes"
    assert told(Grants()) == "because no identity-based policy allows the ecs:RunTask action"
    assert told(Grants(allow + deny)) == "with an explicit deny in an identity-based policy"
    assert told(Grants(allow, ())) == "because no permissions boundary allows the ecs:RunTask action"
    assert told(Grants(allow, deny)) == "with an explicit deny in a permissions boundary"
    assert told(Grants(allow, None, ())) == "because no session policy allows the ecs:RunTask action"
    assert told(Grants((), allow, deny)) == "with an explicit deny in a session policy"
