"""What IAM and STS refuse beside what their models say."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.bad_calls.faults import DROP, Fault, each
from conformance.bad_calls.identities import ARN, AWS_POLICY_ARN, DOCUMENT, POLICY_ARN

MISSING, EXISTS, MALFORMED = "NoSuchEntity", "EntityAlreadyExists", "MalformedPolicyDocument"
CONFLICT, INVALID = "DeleteConflict", "InvalidInput"
OF_A_USER = ("GetUser", "UpdateUser", "DeleteUser", "TagUser", "UntagUser", "ListUserTags", "ListUserPolicies")
OF_A_USER += ("CreateAccessKey", "ListAccessKeys", "PutUserPolicy", "GetUserPolicy", "ListGroupsForUser")
OF_A_ROLE = ("GetRole", "UpdateRole", "DeleteRole", "TagRole", "ListRoleTags", "PutRolePolicy", "GetRolePolicy")
OF_A_ROLE += ("AttachRolePolicy", "UpdateAssumeRolePolicy", "ListAttachedRolePolicies", "ListInstanceProfilesForRole")
OF_A_GROUP = ("GetGroup", "UpdateGroup", "DeleteGroup", "PutGroupPolicy", "AttachGroupPolicy", "AddUserToGroup")
OF_A_POLICY = ("GetPolicy", "DeletePolicy", "CreatePolicyVersion", "ListPolicyVersions", "AttachUserPolicy")
OF_A_POLICY += ("AttachRolePolicy", "ListEntitiesForPolicy", "TagPolicy")
STATEMENT = '{"Version": "2012-10-17", "Statement": [%s]}'
BAD_DOCUMENTS = (
    "no JSON",
    "{}",
    "[]",
    '"text"',
    '{"Version": "2012-10-17"}',
    '{"Version": "1999-01-01", "Statement": []}',
    STATEMENT % '{"Effect": "Maybe", "Action": "*", "Resource": "*"}',
    STATEMENT % '{"Effect": "Allow", "Resource": "*"}',
    STATEMENT % '{"Effect": "Allow", "Action": "*"}',
    STATEMENT % '{"Effect": "Allow", "Action": "nothing", "Resource": "*"}',
    STATEMENT % '{"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}',
    STATEMENT % '{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}',
    STATEMENT % '{"Effect": "Allow", "Action": "*", "Resource": "no ARN"}',
    STATEMENT % '{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Nothing": {"a": "b"}}}',
    STATEMENT % '{"Effect": "Allow", "Action": "*", "Resource": "*", "Other": 1}',
)
BAD_TRUST = ("no JSON", "{}", DOCUMENT, STATEMENT % '{"Effect": "Allow", "Action": "sts:AssumeRole"}')


def iam_faults() -> Iterator[Fault]:
    """Who is not there, who is there already, documents that are none, and what something hangs on."""
    for names, member in ((OF_A_USER, "UserName"), (OF_A_ROLE, "RoleName"), (OF_A_GROUP, "GroupName")):
        for operation in names:
            yield Fault(operation, {member: "nobody"}, MISSING)
    for operation in OF_A_POLICY:
        yield Fault(operation, {"PolicyArn": f"{ARN}:policy/nothing"}, MISSING)
        yield from each(operation, "*", "PolicyArn", "arn:aws:iam::999999999999:policy/limit", "x" * 30)
    yield Fault("CreateUser", {"UserName": "bo"}, EXISTS)
    yield Fault("CreateUser", {"UserName": "BO"}, EXISTS)
    yield Fault("CreateGroup", {"GroupName": "ops"}, EXISTS)
    yield Fault("CreateRole", {"RoleName": "app"}, EXISTS)
    yield Fault("CreatePolicy", {"PolicyName": "limit"}, EXISTS)
    yield Fault("CreateInstanceProfile", {"InstanceProfileName": "ip"}, EXISTS)
    yield from each("UpdateUser", EXISTS, "NewUserName", "free")
    yield Fault("DeleteUser", {"UserName": "bo"}, CONFLICT)
    yield Fault("DeleteGroup", {"GroupName": "ops"}, CONFLICT)
    yield Fault("DeleteRole", {"RoleName": "app"}, CONFLICT)
    yield Fault("DeletePolicy", {"PolicyArn": POLICY_ARN}, CONFLICT)
    yield Fault("DeletePolicyVersion", {"VersionId": "v1"}, CONFLICT)
    yield Fault("DeleteInstanceProfile", {"InstanceProfileName": "ip"}, CONFLICT)
    yield from _policies()
    for operation in ("GetUserPolicy", "DeleteUserPolicy", "GetRolePolicy", "DeleteGroupPolicy"):
        yield Fault(operation, {"PolicyName": "none"}, MISSING)
    for operation in ("GetPolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion"):
        yield Fault(operation, {"VersionId": "v99"}, MISSING)
    for operation in ("UpdateAccessKey", "DeleteAccessKey"):
        yield Fault(operation, {"AccessKeyId": "AKIANOBODYNOBODYNOBO"}, MISSING)
    yield Fault("AddRoleToInstanceProfile", {"InstanceProfileName": "ip"}, "LimitExceeded")
    for operation in ("TagUser", "TagRole", "TagPolicy", "CreateUser", "CreateRole"):
        yield Fault(operation, {"Tags": [{"Key": "aws:x", "Value": "y"}]}, "*")
        yield Fault(operation, {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "*")
        yield Fault(operation, {"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]}, "*")
    for operation in ("ListUsers", "ListRoles", "ListPolicies", "ListGroups"):
        yield from each(operation, "*", "Marker", "garbage", "é")


def _policies() -> Iterator[Fault]:
    for operation in ("PutUserPolicy", "PutRolePolicy", "PutGroupPolicy", "CreatePolicy", "CreatePolicyVersion"):
        yield from each(operation, MALFORMED, "PolicyDocument", *BAD_DOCUMENTS)
    yield from each("CreateRole", MALFORMED, "AssumeRolePolicyDocument", *BAD_TRUST)
    yield from each("UpdateAssumeRolePolicy", MALFORMED, "PolicyDocument", *BAD_TRUST)
    long = STATEMENT % ",".join(['{"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*"}'] * 200)
    for operation in ("PutUserPolicy", "CreatePolicy", "CreatePolicyVersion"):
        yield Fault(operation, {"PolicyDocument": long}, "LimitExceeded")
    for operation in ("DeletePolicy", "CreatePolicyVersion", "TagPolicy"):
        yield Fault(operation, {"PolicyArn": AWS_POLICY_ARN}, "*")
    yield from each("PutUserPermissionsBoundary", "*", "PermissionsBoundary", f"{ARN}:policy/nothing", "x" * 30)


def sts_faults() -> Iterator[Fault]:
    """Roles that are not there or not for the caller, and sessions that are no sessions."""
    others = ("arn:aws:iam::123456789012:role/nobody", "arn:aws:iam::999999999999:role/app")
    yield from each("AssumeRole", "AccessDenied", "RoleArn", *others)
    yield from each("AssumeRole", "*", "RoleArn", "arn:aws:iam::123456789012:user/bo", "x" * 30)
    yield from each("AssumeRole", "*", "DurationSeconds", 3601, 7200)
    yield from each("AssumeRole", MALFORMED, "Policy", "{}", "no JSON")
    yield from each("AssumeRole", "*", "PolicyArns", [{"arn": f"{ARN}:policy/nothing"}], [{"arn": "x" * 30}])
    yield Fault("AssumeRole", {"RoleSessionName": DROP}, "*")
