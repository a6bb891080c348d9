"""Temporary credentials through AWS's client: who may become what, for how long, within which limits."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from fakes.cloud import Cloud, refusal
from fakes.identity import allow, deny, document

A = "arn:aws:iam::123456789012"
ACCOUNT_TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "123456789012"}}


def make(iam: Any, name: str, *statements: dict[str, Any], trust: Any = ACCOUNT_TRUST, **members: Any) -> str:
    """A role; its ARN."""
    trusts = trust if isinstance(trust, list) else [trust]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(*trusts), **members)["Role"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return str(role["Arn"])


def assume(sts: Any, role: str, **members: Any) -> Any:
    return sts.assume_role(RoleArn=role, RoleSessionName="me", **members)


def test_a_session_is_who_it_says_and_may_what_its_role_may(cloud: Cloud, iam: Any) -> None:
    """GetCallerIdentity names the session; what the role's policy leaves out is refused in AWS's words."""
    role = make(iam, "lister", allow("ecs:ListClusters"), Path="/deep/")
    answer = assume(cloud.client("sts"), role)
    keys = answer["Credentials"]
    assert (keys["AccessKeyId"][:4], len(keys["SecretAccessKey"])) == ("ASIA", 40)
    left = (keys["Expiration"] - datetime.fromtimestamp(cloud.time, UTC)).total_seconds()
    assert left == pytest.approx(3600, abs=1)
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/lister/me"
    who = cloud.client("sts", keys).get_caller_identity()
    assert who["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert who["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    ecs = cloud.client("ecs", keys)
    ecs.list_clusters()
    assert refusal(ecs.create_cluster) == (
        "AccessDeniedException",
        "User: arn:aws:sts::123456789012:assumed-role/lister/me is not authorized to perform: ecs:CreateCluster on "
        "resource: * because no identity-based policy allows the ecs:CreateCluster action",
    )
    iam.delete_role_policy(RoleName="lister", PolicyName="p")
    iam.delete_role(RoleName="lister")
    assert refusal(ecs.list_clusters)[0] == "UnrecognizedClientException"


def test_the_root(cloud: Cloud) -> None:
    """Is known by the account's number."""
    who = cloud.client("sts").get_caller_identity()
    assert (who["Arn"], who["UserId"], who["Account"]) == (f"{A}:root", "123456789012", "123456789012")


def test_expired_credentials(cloud: Cloud, iam: Any) -> None:
    """Are told to be so, in each protocol's way."""
    role = make(iam, "brief", allow("*"))
    now = cloud.time
    cloud.time = now - 901
    try:
        keys = assume(cloud.client("sts"), role, DurationSeconds=900)["Credentials"]
    finally:
        cloud.time = now
    text = "The security token included in the request is expired"
    assert refusal(cloud.client("ecs", keys).list_clusters) == ("ExpiredTokenException", text)
    assert refusal(cloud.client("sts", keys).get_caller_identity) == ("ExpiredToken", text)


def test_whom_a_role_lets_in(cloud: Cloud, iam: Any) -> None:
    """Its account, whose policies decide; who is named, unless a policy denies; nobody else."""
    for_account = make(iam, "for-account")
    plain = cloud.user_keys("plain")
    able = cloud.user_keys("able", allow("sts:AssumeRole", resource=for_account))
    barred = cloud.user_keys("barred", deny("sts:AssumeRole"))
    named = {**ACCOUNT_TRUST, "Principal": {"AWS": [f"{A}:user/plain", f"{A}:user/barred"]}}
    for_named = make(iam, "for-named", trust=named)
    for_tasks = make(iam, "for-tasks", trust={**ACCOUNT_TRUST, "Principal": {"Service": "ecs-tasks.amazonaws.com"}})

    def is_let_in(keys: dict[str, str], role: str) -> bool:
        sts = cloud.client("sts", keys)
        with suppress(sts.exceptions.ClientError):
            assume(sts, role)
            return True
        return False

    assert [is_let_in(keys, for_account) for keys in (plain, able, barred)] == [False, True, False]
    assert [is_let_in(keys, for_named) for keys in (plain, able, barred)] == [True, False, False]
    assert [is_let_in(keys, for_tasks) for keys in (plain, able)] == [False, False]
    assert refusal(assume, sts=cloud.client("sts", plain), role=for_account) == (
        "AccessDenied",
        f"User: {A}:user/plain is not authorized to perform: sts:AssumeRole on resource: {for_account}",
    )
    for wrong in (f"{A}:role/nothing", f"{A}:role/x/for-named", "arn:aws:iam::999999999999:role/for-named"):
        assert refusal(assume, sts=cloud.client("sts", plain), role=wrong)[0] == "AccessDenied"
    assert refusal(assume, sts=cloud.client("sts"), role=for_tasks)[0] == "AccessDenied"


def test_trust_on_conditions(cloud: Cloud, iam: Any) -> None:
    """An external id, the session's name, tags, the source identity: each is looked at."""
    condition = {
        "StringEquals": {"sts:ExternalId": "e1", "aws:RequestTag/team": "red"},
        "StringLike": {"sts:RoleSessionName": "m*", "sts:SourceIdentity": "al*"},
        "ArnLike": {"aws:PrincipalArn": f"{A}:root"},
    }
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    role = make(iam, "guarded", trust={**ACCOUNT_TRUST, "Action": actions, "Condition": condition})
    good = {"ExternalId": "e1", "Tags": [{"Key": "team", "Value": "red"}], "SourceIdentity": "alice"}
    sts = cloud.client("sts")
    assert assume(sts, role, **good)["SourceIdentity"] == "alice"
    for change in ({"ExternalId": "e2"}, {"Tags": [{"Key": "team", "Value": "blue"}]}, {"SourceIdentity": "bob"}):
        assert refusal(assume, sts=sts, role=role, **{**good, **change})[0] == "AccessDenied"
    without = {key: value for key, value in good.items() if key != "ExternalId"}
    assert refusal(assume, sts=sts, role=role, **without)[0] == "AccessDenied"


def test_how_long_a_session_may_be(cloud: Cloud, iam: Any) -> None:
    """As the role says; an hour at most for a role assumed by a role."""
    role = make(iam, "hours", allow("sts:AssumeRole"), MaxSessionDuration=7200)
    sts = cloud.client("sts")
    left = assume(sts, role, DurationSeconds=7200)["Credentials"]["Expiration"].timestamp() - cloud.time
    assert left == pytest.approx(7200, abs=1)
    told = refusal(assume, sts=sts, role=role, DurationSeconds=7201)
    assert told == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    chained = cloud.client("sts", assume(sts, role)["Credentials"])
    assume(chained, role, DurationSeconds=3600)
    assert refusal(assume, sts=chained, role=role, DurationSeconds=3601)[0] == "ValidationError"


def test_a_session_can_be_limited(cloud: Cloud, iam: Any) -> None:
    """By a policy or by managed policies' ARNs: what they leave out is refused though the role has it."""
    role = make(iam, "limited", allow("ecs:*", "iam:*"))
    sts = cloud.client("sts")
    answer = assume(sts, role, Policy=document(allow("ecs:List*")))
    assert 0 < answer["PackedPolicySize"] < 20
    ecs = cloud.client("ecs", answer["Credentials"])
    ecs.list_clusters()
    assert refusal(ecs.create_cluster)[1].endswith("because no session policy allows the ecs:CreateCluster action")
    arns = [{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}]
    keys = assume(sts, role, PolicyArns=arns)["Credentials"]
    cloud.client("iam", keys).list_users()
    assert refusal(cloud.client("ecs", keys).list_clusters)[0] == "AccessDeniedException"
    assert refusal(assume, sts=sts, role=role, Policy="{}")[0] == "MalformedPolicyDocument"
    missing = [{"arn": f"{A}:policy/none"}]
    assert refusal(assume, sts=sts, role=role, PolicyArns=missing)[0] == "MalformedPolicyDocument"
    long = document(allow(*(f"ecs:A{i}" for i in range(400))))
    assert refusal(assume, sts=sts, role=role, Policy=long)[0] == "ValidationError"


def test_session_tags_go_on_if_they_are_transitive(cloud: Cloud, iam: Any) -> None:
    """They are principal tags of the session; those that are transitive are so of the next one as well."""
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    trust = {**ACCOUNT_TRUST, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    role = make(iam, "tagged", allow("ecs:ListClusters", Condition=tagged), allow("sts:*"), trust=trust)
    sts = cloud.client("sts")
    tags = [{"Key": "team", "Value": "red"}, {"Key": "x", "Value": "y"}]
    first = assume(sts, role, Tags=tags, TransitiveTagKeys=["team"])["Credentials"]
    cloud.client("ecs", first).list_clusters()
    second = assume(cloud.client("sts", first), role)["Credentials"]
    cloud.client("ecs", second).list_clusters()
    again = refusal(assume, sts=cloud.client("sts", second), role=role, Tags=tags)
    assert again == ("ValidationError", "The tag team is transitive: it was set by an earlier session.")
    assert refusal(cloud.client("ecs", assume(sts, role)["Credentials"]).list_clusters)[0] == "AccessDeniedException"
    assert refusal(assume, sts=sts, role=role, TransitiveTagKeys=["z"])[0] == "ValidationError"
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "1"}]
    assert refusal(assume, sts=sts, role=role, Tags=twice)[0] == "ValidationError"


def test_roles_without_the_right_to_tag(cloud: Cloud, iam: Any) -> None:
    """sts:TagSession has to be in the trust policy too."""
    role = make(iam, "untaggable")
    told = refusal(assume, sts=cloud.client("sts"), role=role, Tags=[{"Key": "a", "Value": "b"}])
    assert told == ("AccessDenied", f"User: {A}:root is not authorized to perform: sts:TagSession on resource: {role}")


def test_session_tokens(cloud: Cloud, iam: Any) -> None:
    """Of a user and of the root: as them, but not for IAM, and not for another token."""
    keys = cloud.user_keys("tokened", allow("ecs:ListClusters", "iam:*"))
    got = cloud.client("sts", keys).get_session_token(DurationSeconds=900)["Credentials"]
    assert cloud.client("sts", got).get_caller_identity()["Arn"] == f"{A}:user/tokened"
    cloud.client("ecs", got).list_clusters()
    assert refusal(cloud.client("ecs", got).create_cluster)[0] == "AccessDeniedException"
    assert refusal(cloud.client("iam", got).list_users)[0] == "AccessDenied"
    cloud.client("iam", keys).list_users()
    again = refusal(cloud.client("sts", got).get_session_token)
    assert again == ("AccessDenied", "Cannot call GetSessionToken with session credentials")
    root = cloud.client("sts").get_session_token()["Credentials"]
    assert root["Expiration"].timestamp() - cloud.time == pytest.approx(3600, abs=1)
    cloud.client("ecs", root).create_cluster(clusterName="by-the-root")
    assert refusal(cloud.client("iam", root).list_users)[0] == "AccessDenied"
    iam.delete_user_policy(UserName="tokened", PolicyName="p")
    assert refusal(cloud.client("ecs", got).list_clusters)[0] == "AccessDeniedException"


def test_second_factors_are_refused(cloud: Cloud, iam: Any) -> None:
    """Nobody has one, so none is right."""
    factor = {"SerialNumber": f"{A}:mfa/bo", "TokenCode": "123456"}
    role = make(iam, "factors")
    assert refusal(cloud.client("sts").get_session_token, **factor)[0] == "AccessDenied"
    assert refusal(assume, sts=cloud.client("sts"), role=role, **factor)[0] == "AccessDenied"


def test_a_token_of_a_wanted_size(cloud: Cloud, iam: Any) -> None:
    """Works like any other: for those who want to see if long ones come through."""
    role = make(iam, "sized", allow("ecs:*"))
    answer = assume(cloud.client("sts"), role, MinimumSessionTokenSize=4096)
    assert len(answer["Credentials"]["SessionToken"]) >= 4096
    assert answer["SessionTokenSize"] == len(answer["Credentials"]["SessionToken"])
    cloud.client("ecs", answer["Credentials"]).list_clusters()


def test_policy_variables_are_the_callers(cloud: Cloud) -> None:
    """${aws:username} in a policy that all carry."""
    own = allow("iam:GetUser", resource=f"{A}:user/${{aws:username}}")
    keys = cloud.user_keys("cy", own)
    cloud.user_keys("di", own)
    cy = cloud.client("iam", keys)
    assert cy.get_user(UserName="cy")["User"]["UserName"] == "cy"
    assert refusal(cy.get_user, UserName="di")[0] == "AccessDenied"
