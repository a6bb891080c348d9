"""What holds for a principal: its own policies, those it carries, its groups', and what limits it."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.identity import ROOT, Identities, allow, deny, document
from tidegate.api.shape import Session

pytestmark = pytest.mark.anyio
USER = "arn:aws:iam::123456789012:user/bo"
ROLE = "arn:aws:iam::123456789012:role/app"
SESSION = "arn:aws:sts::123456789012:assumed-role/app/me"


def session(found: Identities, **members: Any) -> Session:
    times = {"issued_at": found.time, "expires_at": found.time + 900}
    return Session(**{"kind": "role", "owner": "app", "name": "me", **times, **members})


async def test_the_root_may_do_everything_and_strangers_nothing() -> None:
    """A principal that is not there is refused, whoever else may do it."""
    found = Identities()
    await found.user("bo", allow("*"))
    assert found.authorizer.check(ROOT, "iam:CreateUser", "*").is_allowed
    for stranger in ("arn:aws:iam::123456789012:user/al", "arn:aws:iam::999999999999:root", "", "x:y", ROLE):
        assert not found.authorizer.check(stranger, "iam:CreateUser", "*").is_allowed


async def test_all_the_policies_of_a_user_count() -> None:
    """Inline, attached (its own and AWS's), and those of its groups; what was detached does not."""
    found = Identities()
    arn = await found.policy("stop", allow("ecs:StopTask"))
    aws = "arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"
    gone = "arn:aws:iam::123456789012:policy/gone"
    await found.group("ops", allow("ecs:ListTasks"))
    await found.user("bo", allow("ecs:RunTask"), attached=(arn, aws, gone), groups=("ops", "gone"))
    allowed = ("ecs:RunTask", "ecs:StopTask", "logs:GetLogEvents", "ecs:ListTasks")
    assert all(found.authorizer.check(USER, action, "*").is_allowed for action in allowed)
    assert not found.authorizer.check(USER, "logs:PutLogEvents", "*").is_allowed


async def test_a_boundary_limits() -> None:
    """And one that has gone allows nothing."""
    found = Identities()
    boundary = await found.policy("only-ecs", allow("ecs:*"))
    await found.role("app", allow("*"), boundary=boundary)
    await found.user("bo", allow("*"), boundary="arn:aws:iam::123456789012:policy/gone")
    assert found.authorizer.check(ROLE, "ecs:RunTask", "*").is_allowed
    assert found.authorizer.check(ROLE, "iam:CreateUser", "*").source == "permissions boundary"
    assert found.authorizer.check(USER, "ecs:RunTask", "*").source == "permissions boundary"


async def test_a_session_has_what_its_role_has() -> None:
    """By the session's ARN and by the role's, less what the session's own policies leave out."""
    found = Identities()
    await found.role("app", allow("ecs:*"), deny("ecs:DeleteCluster"), path="/deep/")
    limit = (document(allow("ecs:Describe*", "iam:*")),)
    check = found.authorizer.check_session
    assert check(SESSION, session(found), "ecs:RunTask", "*").is_allowed
    assert check(SESSION, session(found), "ecs:DeleteCluster", "*").is_explicit
    assert check(SESSION, session(found, policies=limit), "ecs:DescribeTasks", "*").is_allowed
    assert check(SESSION, session(found, policies=limit), "ecs:RunTask", "*").source == "session policy"
    assert check(SESSION, session(found, policies=limit), "iam:CreateUser", "*").source == "identity-based policy"
    assert check(SESSION, session(found, policies=()), "ecs:RunTask", "*").source == "session policy"
    root = session(found, kind="root", owner="", name="", policies=limit)
    assert check(ROOT, root, "iam:CreateUser", "*").is_allowed
    assert not check(ROOT, root, "ecs:RunTask", "*").is_allowed


@pytest.mark.parametrize(
    "key, value",
    [
        ("aws:PrincipalArn", "arn:aws:iam::123456789012:role/deep/app"),
        ("aws:PrincipalAccount", "123456789012"),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:PrincipalTag/team", "blue"),
        ("aws:PrincipalTag/stage", "session"),
        ("aws:CurrentTime", "2023-11-14T22:13:20Z"),
        ("aws:EpochTime", "1700000000"),
        ("aws:TokenIssueTime", "2023-11-14T22:13:20Z"),
        ("aws:SourceIdentity", "al"),
        ("aws:MultiFactorAuthPresent", "false"),
        ("ecs:cluster", "given"),
    ],
)
async def test_what_conditions_can_ask(key: str, value: str) -> None:
    """The keys that follow from the principal, its session and the time, and those that the caller adds."""
    found = Identities()
    tags = {"team": "blue", "stage": "role"}
    await found.role("app", allow("ecs:*", Condition={"StringEquals": {key: value}}), path="/deep/", tags=tags)
    about = session(found, tags={"stage": "session"}, source_identity="al")
    context = {"ecs:Cluster": "given"}
    assert found.authorizer.check_session(SESSION, about, "ecs:RunTask", "*", context).is_allowed


async def test_a_user_is_known_by_name() -> None:
    """aws:username and aws:userid are a user's; the policy variable stands for it."""
    found = Identities()
    resource = "arn:aws:iam::123456789012:user/${aws:username}"
    user = await found.user("bo", allow("iam:GetUser", resource=resource))
    assert found.authorizer.check(USER, "iam:GetUser", USER).is_allowed
    assert not found.authorizer.check(USER, "iam:GetUser", USER + "b").is_allowed
    await found.user("al", allow("ecs:*", Condition={"StringEquals": {"aws:userid": user.id}}))
    assert not found.authorizer.check("arn:aws:iam::123456789012:user/al", "ecs:RunTask", "*").is_allowed


async def test_a_change_counts_at_once() -> None:
    """Nothing of what was decided before is remembered."""
    found = Identities()
    user = await found.user("bo", allow("ecs:*"))
    assert found.authorizer.check(USER, "ecs:RunTask", "*").is_allowed
    await found.remove(user)
    await found.user("bo", allow("ecs:Describe*"))
    assert not found.authorizer.check(USER, "ecs:RunTask", "*").is_allowed
