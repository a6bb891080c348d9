"""Roles and what belongs to them, through AWS's client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes.cloud import Cloud, refusal
from fakes.identity import TASKS_TRUST, allow, document

TRUST = document(TASKS_TRUST)
READ = document(allow("ecs:List*"))
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def make(iam: Any, name: str, **members: Any) -> Any:
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, **members)["Role"]


def test_a_roles_life(iam: Any) -> None:
    """As Terraform drives it: create, read back as it was written, update, delete."""
    made = make(iam, "app", Path="/svc/", Description="d", MaxSessionDuration=7200, Tags=[{"Key": "k", "Value": "v"}])
    assert made["Arn"] == "arn:aws:iam::123456789012:role/svc/app"
    assert (made["RoleId"][:4], len(made["RoleId"])) == ("AROA", 21)
    found = iam.get_role(RoleName="app")["Role"]
    assert found == made
    assert found["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert (found["Description"], found["MaxSessionDuration"]) == ("d", 7200)
    listed = iam.list_roles(PathPrefix="/svc/")["Roles"]
    assert [(role["RoleName"], "Tags" in role) for role in listed] == [("app", False)]
    iam.update_role(RoleName="app", Description="e", MaxSessionDuration=3600)
    assert iam.get_role(RoleName="app")["Role"]["MaxSessionDuration"] == 3600
    assert iam.update_role_description(RoleName="app", Description="f")["Role"]["Description"] == "f"
    other = document({**TASKS_TRUST, "Principal": {"Service": "ec2.amazonaws.com"}})
    iam.update_assume_role_policy(RoleName="app", PolicyDocument=other)
    assert iam.get_role(RoleName="app")["Role"]["AssumeRolePolicyDocument"] == json.loads(other)
    iam.tag_role(RoleName="app", Tags=[{"Key": "l", "Value": "w"}])
    iam.untag_role(RoleName="app", TagKeys=["k"])
    assert iam.list_role_tags(RoleName="app")["Tags"] == [{"Key": "l", "Value": "w"}]
    assert refusal(iam.create_role, RoleName="APP", AssumeRolePolicyDocument=TRUST) == (
        "EntityAlreadyExists",
        "Role with name APP already exists.",
    )
    iam.delete_role(RoleName="app")
    assert refusal(iam.get_role, RoleName="app") == ("NoSuchEntity", "The role with name app cannot be found.")


def test_what_a_role_carries(iam: Any) -> None:
    """Inline and attached policies, a boundary; it is deleted when none is left."""
    make(iam, "carrier")
    iam.put_role_policy(RoleName="carrier", PolicyName="read", PolicyDocument=READ)
    found = iam.get_role_policy(RoleName="carrier", PolicyName="read")
    assert (found["RoleName"], found["PolicyDocument"]) == ("carrier", json.loads(READ))
    assert iam.list_role_policies(RoleName="carrier")["PolicyNames"] == ["read"]
    iam.attach_role_policy(RoleName="carrier", PolicyArn=EXECUTION)
    attached = iam.list_attached_role_policies(RoleName="carrier")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonECSTaskExecutionRolePolicy", "PolicyArn": EXECUTION}]
    below = iam.list_attached_role_policies(RoleName="carrier", PathPrefix="/service-role/")["AttachedPolicies"]
    assert below == attached
    assert iam.list_attached_role_policies(RoleName="carrier", PathPrefix="/x/")["AttachedPolicies"] == []
    iam.put_role_permissions_boundary(RoleName="carrier", PermissionsBoundary=EXECUTION)
    assert iam.get_role(RoleName="carrier")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == EXECUTION
    assert refusal(iam.delete_role, RoleName="carrier")[0] == "DeleteConflict"
    iam.detach_role_policy(RoleName="carrier", PolicyArn=EXECUTION)
    assert refusal(iam.delete_role, RoleName="carrier")[0] == "DeleteConflict"
    iam.delete_role_policy(RoleName="carrier", PolicyName="read")
    iam.delete_role_permissions_boundary(RoleName="carrier")
    iam.delete_role(RoleName="carrier")


def test_what_can_be_attached(iam: Any) -> None:
    """Policies that are there, to the letter of their ARN, and ten at most."""
    make(iam, "full")
    for arn in (
        "arn:aws:iam::123456789012:policy/none",
        "arn:aws:iam::aws:policy/None",
        "arn:aws:iam::999999999999:policy/p0",
        "arn:aws-cn:iam::123456789012:policy/p0",
        "not-an-arn-at-all-but-long",
    ):
        told = refusal(iam.attach_role_policy, RoleName="full", PolicyArn=arn)
        assert told == ("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")
    arns = [iam.create_policy(PolicyName=f"p{i}", PolicyDocument=READ)["Policy"]["Arn"] for i in range(11)]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName="full", PolicyArn=arn)
    told = refusal(iam.attach_role_policy, RoleName="full", PolicyArn=arns[10])
    assert told == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")


@pytest.mark.parametrize(
    "trust, code, text",
    [
        ("{}", "MalformedPolicyDocument", "Syntax errors in policy."),
        (
            document({**TASKS_TRUST, "Action": "ecs:*"}),
            "MalformedPolicyDocument",
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            document({**TASKS_TRUST, "Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}}),
            "MalformedPolicyDocument",
            'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/nobody"',
        ),
        (
            document({**TASKS_TRUST, "Condition": {"StringEquals": {"aws:a": ["x" * 100] * 30}}}),
            "LimitExceeded",
            "Cannot exceed quota for ACLSizePerRole: 2048",
        ),
    ],
)
def test_what_a_trust_policy_may_be(iam: Any, trust: str, code: str, text: str) -> None:
    """It names principals that are there; and it is not too long."""
    told = refusal(iam.create_role, RoleName="never", AssumeRolePolicyDocument=trust)
    assert told == (code, text)
    make(iam, f"trusting{abs(hash(trust))}")
    name = f"trusting{abs(hash(trust))}"
    assert refusal(iam.update_assume_role_policy, RoleName=name, PolicyDocument=trust) == (code, text)


def test_roles_of_services(iam: Any) -> None:
    """Made by a call of their own, once; changed by nobody; deleted by their own call."""
    role = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    assert role["Arn"].endswith(":role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
    again = refusal(iam.create_service_linked_role, AWSServiceName="ecs.amazonaws.com")
    assert again[0] == "InvalidInput"
    assert "has been taken in this account" in again[1]
    assert refusal(iam.create_service_linked_role, AWSServiceName="nothing.amazonaws.com")[0] == "InvalidInput"
    name = role["RoleName"]
    for call, more in (
        (iam.delete_role, {}),
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": READ}),
        (iam.update_assume_role_policy, {"PolicyDocument": TRUST}),
        (iam.tag_role, {"Tags": [{"Key": "a", "Value": "b"}]}),
    ):
        assert refusal(call, RoleName=name, **more)[0] == "UnmodifiableEntity"
    reserved = {"RoleName": "mine", "Path": "/aws-service-role/x/", "AssumeRolePolicyDocument": TRUST}
    assert refusal(iam.create_role, **reserved)[0] == "InvalidInput"
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    make(iam, "plain")
    assert refusal(iam.delete_service_linked_role, RoleName="plain")[0] == "NoSuchEntity"
    assert refusal(iam.get_service_linked_role_deletion_status, DeletionTaskId="x")[0] == "NoSuchEntity"


def test_instance_profiles(iam: Any) -> None:
    """Hold one role, which is not deleted while they do."""
    make(iam, "on-instances")
    profile = iam.create_instance_profile(InstanceProfileName="ip", Path="/i/", Tags=[{"Key": "a", "Value": "b"}])
    made = profile["InstanceProfile"]
    assert (made["InstanceProfileId"][:4], made["Roles"]) == ("AIPA", [])
    iam.add_role_to_instance_profile(InstanceProfileName="ip", RoleName="on-instances")
    full = refusal(iam.add_role_to_instance_profile, InstanceProfileName="ip", RoleName="on-instances")
    assert full == ("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    found = iam.get_instance_profile(InstanceProfileName="ip")["InstanceProfile"]
    assert [role["RoleName"] for role in found["Roles"]] == ["on-instances"]
    of_role = iam.list_instance_profiles_for_role(RoleName="on-instances")["InstanceProfiles"]
    assert [p["InstanceProfileName"] for p in of_role] == ["ip"]
    assert [p["Arn"] for p in iam.list_instance_profiles(PathPrefix="/i/")["InstanceProfiles"]] == [made["Arn"]]
    iam.tag_instance_profile(InstanceProfileName="ip", Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_instance_profile(InstanceProfileName="ip", TagKeys=["a"])
    assert iam.list_instance_profile_tags(InstanceProfileName="ip")["Tags"] == [{"Key": "c", "Value": "d"}]
    conflict = ("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
    assert refusal(iam.delete_role, RoleName="on-instances") == conflict
    assert refusal(iam.delete_instance_profile, InstanceProfileName="ip") == conflict
    iam.remove_role_from_instance_profile(InstanceProfileName="ip", RoleName="on-instances")
    gone = {"InstanceProfileName": "ip", "RoleName": "on-instances"}
    assert refusal(iam.remove_role_from_instance_profile, **gone)[0] == "NoSuchEntity"
    iam.delete_instance_profile(InstanceProfileName="ip")
    missing = ("NoSuchEntity", "Instance Profile ip cannot be found.")
    assert refusal(iam.get_instance_profile, InstanceProfileName="ip") == missing


def test_managed_policies(cloud: Cloud, iam: Any) -> None:
    """Versions, of which one is in force; who carries them; five at most; deleted when nobody does."""
    made = iam.create_policy(PolicyName="Limit", Path="/p/", PolicyDocument=READ, Description="d")["Policy"]
    arn = made["Arn"]
    assert (made["PolicyId"][:4], arn) == ("ANPA", "arn:aws:iam::123456789012:policy/p/Limit")
    assert refusal(iam.create_policy, PolicyName="limit", PolicyDocument=READ) == (
        "EntityAlreadyExists",
        "A policy called limit already exists. Duplicate names are not allowed.",
    )
    user = cloud.client("ecs", cloud.user_keys("limited"))
    iam.attach_user_policy(UserName="limited", PolicyArn=arn)
    user.list_clusters()
    nothing = document(allow("x:y"))
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=nothing)["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    user.list_clusters()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert refusal(user.list_clusters)[0] == "AccessDeniedException"
    found = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (found["DefaultVersionId"], found["AttachmentCount"], found["Description"]) == ("v2", 1, "d")
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (json.loads(READ), False)
    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ, SetAsDefault=True)
    assert refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=READ)[0] == "LimitExceeded"
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [v["VersionId"] for v in versions if v["IsDefaultVersion"]] == ["v5"]
    default = ("DeleteConflict", "Cannot delete the default version of a policy.")
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v5") == default
    attached = ("DeleteConflict", "Cannot delete a policy attached to entities.")
    assert refusal(iam.delete_policy, PolicyArn=arn) == attached
    assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"][0]["UserName"] == "limited"
    assert iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")["PolicyUsers"] == []
    iam.detach_user_policy(UserName="limited", PolicyArn=arn)
    several = refusal(iam.delete_policy, PolicyArn=arn)
    assert several[0] == "DeleteConflict"
    for number in (1, 2, 3, 4):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ)["PolicyVersion"]["VersionId"] == "v6"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v6")
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", f"Policy {arn} was not found.")


def test_aws_own_policies(iam: Any) -> None:
    """Are there, can be read and listed, and can't be changed."""
    found = iam.get_policy(PolicyArn=EXECUTION)["Policy"]
    assert (found["Path"], found["DefaultVersionId"]) == ("/service-role/", "v1")
    read = iam.get_policy_version(PolicyArn=EXECUTION, VersionId="v1")["PolicyVersion"]["Document"]
    assert "ecr:GetAuthorizationToken" in read["Statement"][0]["Action"]
    listed = [p["Arn"] for p in iam.list_policies(Scope="AWS")["Policies"]]
    assert EXECUTION in listed
    assert all(arn.startswith("arn:aws:iam::aws:policy/") for arn in listed)
    assert EXECUTION not in [p["Arn"] for p in iam.list_policies(Scope="Local")["Policies"]]
    assert refusal(iam.delete_policy, PolicyArn=EXECUTION)[0] == "InvalidInput"
    assert refusal(iam.create_policy_version, PolicyArn=EXECUTION, PolicyDocument=READ)[0] == "InvalidInput"
    assert refusal(iam.tag_policy, PolicyArn=EXECUTION, Tags=[{"Key": "a", "Value": "b"}])[0] == "InvalidInput"
    too_long = document(allow(*(f"ecs:Action{i:05}" for i in range(500))))
    told = refusal(iam.create_policy, PolicyName="long", PolicyDocument=too_long)
    assert told == ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
