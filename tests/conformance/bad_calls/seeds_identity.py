"""Valid calls of IAM and STS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.bad_calls.identities import AWS_POLICY_ARN, DOCUMENT, FREE_POLICY_ARN, POLICY_ARN, TAGS, TRUST
from conformance.bad_calls.seeds_ecs import Seed
from conformance.bad_calls.world import ACCOUNT

PAGE = {"MaxItems": 10}


def _given(parameters: Mapping[str, Any]) -> tuple[Seed, ...]:
    """The same in every world."""
    return (lambda _: dict(parameters),)


def _carried(noun: str, name: str, free: str) -> Iterator[tuple[str, tuple[Seed, ...]]]:
    """The operations on the policies that users, groups and roles carry; `free` carries none yet."""
    who, other = {f"{noun}Name": name}, {f"{noun}Name": free}
    yield f"Put{noun}Policy", _given({**who, "PolicyName": "q", "PolicyDocument": DOCUMENT})
    yield f"Get{noun}Policy", _given({**who, "PolicyName": "p"})
    yield f"List{noun}Policies", _given({**who, **PAGE})
    yield f"Delete{noun}Policy", _given({**who, "PolicyName": "p"})
    yield f"Attach{noun}Policy", _given({**other, "PolicyArn": POLICY_ARN})
    yield f"Detach{noun}Policy", _given({**who, "PolicyArn": POLICY_ARN})
    yield f"ListAttached{noun}Policies", _given({**who, **PAGE, "PathPrefix": "/"})
    if noun != "Group":
        yield f"Put{noun}PermissionsBoundary", _given({**who, "PermissionsBoundary": AWS_POLICY_ARN})
        yield f"Delete{noun}PermissionsBoundary", _given(who)


def _tagged(noun: str, who: Mapping[str, str]) -> Iterator[tuple[str, tuple[Seed, ...]]]:
    yield f"Tag{noun}", _given({**who, "Tags": [{"Key": "stage", "Value": "test"}]})
    yield f"Untag{noun}", _given({**who, "TagKeys": ["team"]})
    yield f"List{noun}Tags", _given({**who, **PAGE})


IAM_SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "CreateUser": _given({"UserName": "al", "Path": "/x/", "Tags": TAGS, "PermissionsBoundary": AWS_POLICY_ARN}),
    "GetUser": _given({"UserName": "bo"}),
    "ListUsers": _given({"PathPrefix": "/", **PAGE}),
    "UpdateUser": _given({"UserName": "bo", "NewUserName": "cy", "NewPath": "/y/"}),
    "DeleteUser": _given({"UserName": "free"}),
    "CreateAccessKey": _given({"UserName": "bo"}),
    "ListAccessKeys": _given({"UserName": "bo", **PAGE}),
    "UpdateAccessKey": (lambda w: {"UserName": "bo", "AccessKeyId": w.access_key, "Status": "Inactive"},),
    "DeleteAccessKey": (lambda w: {"UserName": "bo", "AccessKeyId": w.access_key},),
    "ListMFADevices": _given({"UserName": "bo", **PAGE}),
    "ListVirtualMFADevices": _given({"AssignmentStatus": "Any", **PAGE}),
    "ListSSHPublicKeys": _given({"UserName": "bo", **PAGE}),
    "ListSigningCertificates": _given({"UserName": "bo", **PAGE}),
    "ListServiceSpecificCredentials": _given({"UserName": "bo", "ServiceName": "x.amazonaws.com", **PAGE}),
    "GetLoginProfile": _given({"UserName": "bo"}),
    "DeleteLoginProfile": _given({"UserName": "bo"}),
    "CreateGroup": _given({"GroupName": "dev", "Path": "/x/"}),
    "GetGroup": _given({"GroupName": "ops", **PAGE}),
    "ListGroups": _given({"PathPrefix": "/", **PAGE}),
    "UpdateGroup": _given({"GroupName": "ops", "NewGroupName": "dev", "NewPath": "/y/"}),
    "DeleteGroup": _given({"GroupName": "free"}),
    "AddUserToGroup": _given({"GroupName": "free", "UserName": "bo"}),
    "RemoveUserFromGroup": _given({"GroupName": "ops", "UserName": "bo"}),
    "ListGroupsForUser": _given({"UserName": "bo", **PAGE}),
    "CreateRole": _given(
        {
            "RoleName": "new",
            "AssumeRolePolicyDocument": TRUST,
            "Path": "/x/",
            "Description": "d",
            "MaxSessionDuration": 7200,
            "PermissionsBoundary": AWS_POLICY_ARN,
            "Tags": TAGS,
        }
    ),
    "GetRole": _given({"RoleName": "app"}),
    "ListRoles": _given({"PathPrefix": "/", **PAGE}),
    "UpdateRole": _given({"RoleName": "app", "Description": "d", "MaxSessionDuration": 7200}),
    "UpdateRoleDescription": _given({"RoleName": "app", "Description": "d"}),
    "UpdateAssumeRolePolicy": _given({"RoleName": "app", "PolicyDocument": TRUST}),
    "DeleteRole": _given({"RoleName": "free"}),
    "CreateServiceLinkedRole": _given(
        {"AWSServiceName": "autoscaling.amazonaws.com", "Description": "d", "CustomSuffix": "x"}
    ),
    "DeleteServiceLinkedRole": _given({"RoleName": "AWSServiceRoleForECS"}),
    "GetServiceLinkedRoleDeletionStatus": _given(
        {"DeletionTaskId": "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/1"}
    ),
    "CreatePolicy": _given(
        {"PolicyName": "new", "Path": "/x/", "PolicyDocument": DOCUMENT, "Description": "d", "Tags": TAGS}
    ),
    "GetPolicy": _given({"PolicyArn": POLICY_ARN}),
    "ListPolicies": _given(
        {"Scope": "All", "OnlyAttached": False, "PathPrefix": "/", "PolicyUsageFilter": "PermissionsPolicy", **PAGE}
    ),
    "DeletePolicy": _given({"PolicyArn": FREE_POLICY_ARN}),
    "CreatePolicyVersion": _given({"PolicyArn": POLICY_ARN, "PolicyDocument": DOCUMENT, "SetAsDefault": True}),
    "GetPolicyVersion": _given({"PolicyArn": POLICY_ARN, "VersionId": "v1"}),
    "ListPolicyVersions": _given({"PolicyArn": POLICY_ARN, **PAGE}),
    "DeletePolicyVersion": _given({"PolicyArn": POLICY_ARN, "VersionId": "v2"}),
    "SetDefaultPolicyVersion": _given({"PolicyArn": POLICY_ARN, "VersionId": "v2"}),
    "ListEntitiesForPolicy": _given(
        {
            "PolicyArn": POLICY_ARN,
            "EntityFilter": "User",
            "PathPrefix": "/",
            "PolicyUsageFilter": "PermissionsPolicy",
            **PAGE,
        }
    ),
    "CreateInstanceProfile": _given({"InstanceProfileName": "new", "Path": "/x/", "Tags": TAGS}),
    "GetInstanceProfile": _given({"InstanceProfileName": "ip"}),
    "ListInstanceProfiles": _given({"PathPrefix": "/", **PAGE}),
    "ListInstanceProfilesForRole": _given({"RoleName": "app", **PAGE}),
    "AddRoleToInstanceProfile": _given({"InstanceProfileName": "free", "RoleName": "app"}),
    "RemoveRoleFromInstanceProfile": _given({"InstanceProfileName": "ip", "RoleName": "app"}),
    "DeleteInstanceProfile": _given({"InstanceProfileName": "free"}),
    "GetAccountSummary": _given({}),
    "ListAccountAliases": _given(PAGE),
    **dict(_carried("User", "bo", "free")),
    **dict(_carried("Group", "ops", "free")),
    **dict(_carried("Role", "app", "free")),
    **dict(_tagged("User", {"UserName": "bo"})),
    **dict(_tagged("Role", {"RoleName": "app"})),
    **dict(_tagged("Policy", {"PolicyArn": POLICY_ARN})),
    **dict(_tagged("InstanceProfile", {"InstanceProfileName": "ip"})),
}

IAM_REFUSED = {"GetLoginProfile": "NoSuchEntity", "DeleteLoginProfile": "NoSuchEntity"}
"""Nobody has a password, so a call that is well formed finds none."""

STS_SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "GetCallerIdentity": _given({}),
    "AssumeRole": _given(
        {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/app", "RoleSessionName": "me", "DurationSeconds": 900}
        | {"Policy": DOCUMENT, "PolicyArns": [{"arn": POLICY_ARN}], "ExternalId": "e1", "MinimumSessionTokenSize": 100}
    ),
    "GetSessionToken": _given({"DurationSeconds": 900}),
}
