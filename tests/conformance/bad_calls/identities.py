"""Who there is in the small world: one of each kind, tied to one another, and one of each that is free."""

from __future__ import annotations

import json
from typing import Any

from botocore.model import ServiceModel

from conformance.forms import write_body
from fakes.served import ACCOUNT, Served
from generate_api import describe
from tidegate.model.account import AccessKey

ARN = f"arn:aws:iam::{ACCOUNT}"
POLICY_ARN, FREE_POLICY_ARN = f"{ARN}:policy/limit", f"{ARN}:policy/free"
AWS_POLICY_ARN = "arn:aws:iam::aws:policy/ReadOnlyAccess"
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:List*", "Resource": "*"}]}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}],
    }
)
TAGS = [{"Key": "team", "Value": "red"}]
_STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("CreatePolicy", {"PolicyName": "limit", "PolicyDocument": DOCUMENT, "Tags": TAGS}),
    ("CreatePolicyVersion", {"PolicyArn": POLICY_ARN, "PolicyDocument": DOCUMENT}),
    ("CreatePolicy", {"PolicyName": "free", "PolicyDocument": DOCUMENT}),
    ("CreateUser", {"UserName": "bo", "Tags": TAGS, "PermissionsBoundary": AWS_POLICY_ARN}),
    ("CreateUser", {"UserName": "free"}),
    ("CreateAccessKey", {"UserName": "bo"}),
    ("PutUserPolicy", {"UserName": "bo", "PolicyName": "p", "PolicyDocument": DOCUMENT}),
    ("AttachUserPolicy", {"UserName": "bo", "PolicyArn": POLICY_ARN}),
    ("CreateGroup", {"GroupName": "ops"}),
    ("CreateGroup", {"GroupName": "free"}),
    ("AddUserToGroup", {"GroupName": "ops", "UserName": "bo"}),
    ("PutGroupPolicy", {"GroupName": "ops", "PolicyName": "p", "PolicyDocument": DOCUMENT}),
    ("AttachGroupPolicy", {"GroupName": "ops", "PolicyArn": POLICY_ARN}),
    (
        "CreateRole",
        {
            "RoleName": "app",
            "AssumeRolePolicyDocument": TRUST,
            "Tags": TAGS,
            "PermissionsBoundary": AWS_POLICY_ARN,
        },
    ),
    ("CreateRole", {"RoleName": "free", "AssumeRolePolicyDocument": TRUST}),
    ("PutRolePolicy", {"RoleName": "app", "PolicyName": "p", "PolicyDocument": DOCUMENT}),
    ("AttachRolePolicy", {"RoleName": "app", "PolicyArn": POLICY_ARN}),
    ("CreateServiceLinkedRole", {"AWSServiceName": "ecs.amazonaws.com"}),
    ("CreateInstanceProfile", {"InstanceProfileName": "ip", "Tags": TAGS}),
    ("AddRoleToInstanceProfile", {"InstanceProfileName": "ip", "RoleName": "app"}),
    ("CreateInstanceProfile", {"InstanceProfileName": "free"}),
)


async def make_identities(served: Served) -> str:
    """Through the API; the id of bo's access key."""
    model = ServiceModel(describe("iam")[0], "iam")
    for name, parameters in _STEPS:
        reply = await served.send("iam", name, write_body(model.operation_model(name), parameters))
        assert reply.status == 200, (name, reply.message)
    return next(key.id for key in served.store.select(AccessKey) if key.user == "bo")
