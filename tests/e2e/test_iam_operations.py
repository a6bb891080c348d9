"""Every operation of IAM and STS, once, by boto3 against a real server: an operator builds an account and ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.server import ServerProcess
from tidegate.api import iam as iam_api
from tidegate.api import sts as sts_api

pytestmark = pytest.mark.host
A = "arn:aws:iam::000000000000"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:List*", "Resource": "*"}]}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}}],
    }
)
TAGS = [{"Key": "team", "Value": "red"}]


@pytest.fixture
def called() -> set[str]:
    return set()


@pytest.fixture
def iam(server: ServerProcess, called: set[str]) -> Any:
    client = server.client("iam")
    client.meta.events.register("before-call.iam", lambda model, **_: called.add(model.name))
    return client


@pytest.fixture
def sts(server: ServerProcess, called: set[str]) -> Any:
    client = server.client("sts")
    client.meta.events.register("before-call.sts", lambda model, **_: called.add(model.name))
    return client


def test_every_operation(iam: Any, sts: Any, called: set[str]) -> None:
    """Each answers what was made before it, and at the end nothing of it is left."""
    before = iam.get_account_summary()["SummaryMap"]
    for part in (_policies(iam), _users(iam), _groups(iam), _roles(iam), _profiles(iam)):
        for _ in part:
            pass
    iam.delete_role(RoleName="e2e-role")
    iam.delete_user(UserName="e2e-user")
    assert iam.get_account_summary()["SummaryMap"] == before
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert sts.get_caller_identity()["Arn"] == f"{A}:root"
    assert sts.get_session_token()["Credentials"]["AccessKeyId"].startswith("ASIA")
    iam.create_role(RoleName="e2e-role", AssumeRolePolicyDocument=TRUST)
    assumed = sts.assume_role(RoleArn=f"{A}:role/e2e-role", RoleSessionName="me")
    assert assumed["AssumedRoleUser"]["Arn"].endswith("assumed-role/e2e-role/me")
    iam.delete_role(RoleName="e2e-role")
    assert called == {operation.name for api in (iam_api, sts_api) for operation in api.OPERATIONS}


def _policies(iam: Any) -> Iterator[None]:
    arn = iam.create_policy(PolicyName="e2e-policy", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=DOCUMENT)["PolicyVersion"]["VersionId"]
    iam.set_default_policy_version(PolicyArn=arn, VersionId=second)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    found = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert found == json.loads(DOCUMENT)
    assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 2
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.tag_policy(PolicyArn=arn, Tags=TAGS)
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == TAGS
    iam.untag_policy(PolicyArn=arn, TagKeys=["team"])
    assert arn in [policy["Arn"] for policy in iam.list_policies(Scope="Local")["Policies"]]
    assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"] == []
    yield
    iam.delete_policy(PolicyArn=arn)


def _carry(iam: Any, noun: str, name: str) -> Iterator[None]:
    """What users, groups and roles carry."""
    who, lower = {f"{noun}Name": name}, noun.lower()
    getattr(iam, f"put_{lower}_policy")(**who, PolicyName="p", PolicyDocument=DOCUMENT)
    found = getattr(iam, f"get_{lower}_policy")(**who, PolicyName="p")
    assert found["PolicyDocument"] == json.loads(DOCUMENT)
    assert getattr(iam, f"list_{lower}_policies")(**who)["PolicyNames"] == ["p"]
    getattr(iam, f"attach_{lower}_policy")(**who, PolicyArn=READ_ONLY)
    attached = getattr(iam, f"list_attached_{lower}_policies")(**who)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [READ_ONLY]
    yield
    getattr(iam, f"detach_{lower}_policy")(**who, PolicyArn=READ_ONLY)
    getattr(iam, f"delete_{lower}_policy")(**who, PolicyName="p")


def _bound(iam: Any, noun: str, name: str) -> None:
    who, lower = {f"{noun}Name": name}, noun.lower()
    getattr(iam, f"put_{lower}_permissions_boundary")(**who, PermissionsBoundary=READ_ONLY)
    getattr(iam, f"delete_{lower}_permissions_boundary")(**who)
    getattr(iam, f"tag_{lower}")(**who, Tags=TAGS)
    assert getattr(iam, f"list_{lower}_tags")(**who)["Tags"] == TAGS
    getattr(iam, f"untag_{lower}")(**who, TagKeys=["team"])


def _users(iam: Any) -> Iterator[None]:
    iam.create_user(UserName="e2e-before")
    iam.update_user(UserName="e2e-before", NewUserName="e2e-user")
    assert iam.get_user(UserName="e2e-user")["User"]["Arn"] == f"{A}:user/e2e-user"
    assert "e2e-user" in [user["UserName"] for user in iam.list_users()["Users"]]
    key = iam.create_access_key(UserName="e2e-user")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="e2e-user", AccessKeyId=key, Status="Inactive")
    assert iam.list_access_keys(UserName="e2e-user")["AccessKeyMetadata"][0]["Status"] == "Inactive"
    iam.delete_access_key(UserName="e2e-user", AccessKeyId=key)
    for name in ("mfa_devices", "ssh_public_keys", "signing_certificates", "service_specific_credentials"):
        assert [] in getattr(iam, f"list_{name}")(UserName="e2e-user").values()
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    for name in ("get_login_profile", "delete_login_profile"):
        with pytest.raises(iam.exceptions.NoSuchEntityException):
            getattr(iam, name)(UserName="e2e-user")
    _bound(iam, "User", "e2e-user")
    yield from _carry(iam, "User", "e2e-user")


def _groups(iam: Any) -> Iterator[None]:
    iam.create_group(GroupName="e2e-before")
    iam.update_group(GroupName="e2e-before", NewGroupName="e2e-group")
    iam.add_user_to_group(GroupName="e2e-group", UserName="e2e-user")
    assert [user["UserName"] for user in iam.get_group(GroupName="e2e-group")["Users"]] == ["e2e-user"]
    assert "e2e-group" in [group["GroupName"] for group in iam.list_groups()["Groups"]]
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName="e2e-user")["Groups"]] == ["e2e-group"]
    yield from _carry(iam, "Group", "e2e-group")
    iam.remove_user_from_group(GroupName="e2e-group", UserName="e2e-user")
    iam.delete_group(GroupName="e2e-group")


def _roles(iam: Any) -> Iterator[None]:
    iam.create_role(RoleName="e2e-role", AssumeRolePolicyDocument=TRUST)
    iam.update_role(RoleName="e2e-role", MaxSessionDuration=7200)
    iam.update_role_description(RoleName="e2e-role", Description="d")
    iam.update_assume_role_policy(RoleName="e2e-role", PolicyDocument=TRUST)
    role = iam.get_role(RoleName="e2e-role")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (7200, "d")
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert "e2e-role" in [one["RoleName"] for one in iam.list_roles()["Roles"]]
    _bound(iam, "Role", "e2e-role")
    linked = iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")["Role"]["RoleName"]
    task = iam.delete_service_linked_role(RoleName=linked)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    yield from _carry(iam, "Role", "e2e-role")


def _profiles(iam: Any) -> Iterator[None]:
    iam.create_instance_profile(InstanceProfileName="e2e-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="e2e-profile", RoleName="e2e-role")
    found = iam.get_instance_profile(InstanceProfileName="e2e-profile")["InstanceProfile"]
    assert [role["RoleName"] for role in found["Roles"]] == ["e2e-role"]
    of_role = iam.list_instance_profiles_for_role(RoleName="e2e-role")["InstanceProfiles"]
    assert [profile["InstanceProfileName"] for profile in of_role] == ["e2e-profile"]
    assert "e2e-profile" in [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]]
    iam.tag_instance_profile(InstanceProfileName="e2e-profile", Tags=TAGS)
    assert iam.list_instance_profile_tags(InstanceProfileName="e2e-profile")["Tags"] == TAGS
    iam.untag_instance_profile(InstanceProfileName="e2e-profile", TagKeys=["team"])
    yield
    iam.remove_role_from_instance_profile(InstanceProfileName="e2e-profile", RoleName="e2e-role")
    iam.delete_instance_profile(InstanceProfileName="e2e-profile")
