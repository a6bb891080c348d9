"""What the operations on secrets are held against: always the secret's own ARN, however it is named."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fakes.identity import Identities, allow, document
from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.identity import User
from tidegate.model.secret import Secret
from tidegate.server.authorization import TABLES
from tidegate.services.iam.gate import RequestGate

pytestmark = pytest.mark.anyio
ARN = "arn:aws:secretsmanager:eu-north-1:123456789012:secret"


class Door(Identities):
    """A secret `app/db`, and a user whose policy can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = RequestGate(self.authorizer, self.store, TABLES)

    async def open(self, *statements: dict[str, Any]) -> None:
        if self.store.get(Secret, "app/db") is None:
            await self.put(
                Secret(name="app/db", id="0" * 32, suffix="AbCdEf", created_at=0, changed_at=0, tags={"team": "blue"})
            )
            await self.user("bo")
        user = self.store.get(User, "bo")
        assert user is not None
        inline = {"p": document(*statements)} if statements else {}
        await self.put(msgspec.structs.replace(user, inline=inline))

    def refused(self, operation: str, **members: Any) -> str | None:
        row = next(row for row in api.OPERATIONS if row.name == operation)
        ctx = Context("123456789012", "eu-north-1", "r", "arn:aws:iam::123456789012:user/bo", user_id="AIDABO")
        return self.gate.refuse(ctx, "secretsmanager", row, msgspec.convert(members, row.request))


async def test_a_secret_is_its_arn() -> None:
    """By name, by ARN, or by a part of it: a policy about the ARN is not evaded."""
    door = Door()
    await door.open(allow("secretsmanager:GetSecretValue", resource=f"{ARN}:other-*"))
    for name in ("app/db", f"{ARN}:app/db-AbCdEf", f"{ARN}:app/db"):
        told = door.refused("GetSecretValue", SecretId=name)
        assert told is not None
        assert f"secretsmanager:GetSecretValue on resource: {ARN}:app/db-AbCdEf because no" in told
    await door.open(allow("secretsmanager:GetSecretValue", resource=f"{ARN}:app/db-??????"))
    assert door.refused("GetSecretValue", SecretId="app/db") is None
    assert door.refused("PutSecretValue", SecretId="app/db", SecretString="x") is not None


async def test_what_is_not_there_has_an_arn_without_an_end() -> None:
    """A new secret, too."""
    door = Door()
    await door.open(allow("secretsmanager:*", resource=f"{ARN}:new/*"))
    assert door.refused("CreateSecret", Name="new/one") is None
    assert door.refused("CreateSecret", Name="old/one") is not None
    assert f"{ARN}:gone" in str(door.refused("DescribeSecret", SecretId="gone"))


async def test_reading_many_is_reading_each() -> None:
    """One that may not be read refuses the whole."""
    door = Door()
    await door.open(allow("secretsmanager:BatchGetSecretValue"))
    assert "GetSecretValue" in str(door.refused("BatchGetSecretValue", SecretIdList=["app/db"]))
    assert door.refused("BatchGetSecretValue", Filters=[{"Key": "name", "Values": ["a"]}]) is not None
    await door.open(
        allow("secretsmanager:BatchGetSecretValue"), allow("secretsmanager:GetSecretValue", resource=f"{ARN}:app/*")
    )
    assert door.refused("BatchGetSecretValue", SecretIdList=["app/db"]) is None


def statement(effect: str, principal: Any, **members: Any) -> str:
    given = {"Action": "secretsmanager:GetSecretValue", "Resource": "*", **members}
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Principal": principal, **given}]})


BO = {"AWS": "arn:aws:iam::123456789012:user/bo"}
ACCOUNT_ROOT = {"AWS": "arn:aws:iam::123456789012:root"}


@pytest.mark.parametrize(
    ("policy", "may_by_itself", "may"),
    [
        ("", False, True),
        (statement("Allow", BO), True, True),
        (statement("Allow", "*"), True, True),
        (statement("Allow", ACCOUNT_ROOT), False, True),
        (statement("Allow", {"AWS": "arn:aws:iam::123456789012:user/ann"}), False, True),
        (statement("Allow", BO, Action="secretsmanager:PutSecretValue"), False, True),
        (statement("Allow", BO, Resource=f"{ARN}:other-*"), False, True),
        (statement("Allow", BO, Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}), False, True),
        (statement("Deny", BO), False, False),
        (statement("Deny", "*"), False, False),
        (statement("Deny", ACCOUNT_ROOT), False, False),
        (statement("Deny", BO, Action="secretsmanager:PutSecretValue"), False, True),
        (statement("Deny", {"AWS": "arn:aws:iam::123456789012:user/ann"}), False, True),
    ],
)
async def test_a_secrets_own_policy_binds(policy: str, may_by_itself: bool, may: bool) -> None:
    """It lets in whom it names, and keeps out whoever it denies, whatever their own policies say."""
    door = Door()
    for statements, expected in (((), may_by_itself), ((allow("secretsmanager:*"),), may)):
        await door.open(*statements)
        secret = door.store.get(Secret, "app/db")
        assert secret is not None
        await door.put(msgspec.structs.replace(secret, policy=policy))
        told = door.refused("GetSecretValue", SecretId="app/db")
        assert (told is None) == expected
        if policy and told and not may:
            assert told.endswith("with an explicit deny in a resource-based policy")


@pytest.mark.parametrize(
    ("operation", "members", "key", "value"),
    [
        ("CreateSecret", {"Name": "n"}, "secretsmanager:Name", "n"),
        ("GetSecretValue", {"SecretId": "app/db"}, "secretsmanager:VersionStage", "AWSCURRENT"),
        (
            "DeleteSecret",
            {"SecretId": "app/db", "RecoveryWindowInDays": 9},
            "secretsmanager:RecoveryWindowInDays",
            "9",
        ),
        (
            "DeleteSecret",
            {"SecretId": "app/db", "ForceDeleteWithoutRecovery": True},
            "secretsmanager:ForceDeleteWithoutRecovery",
            "true",
        ),
        (
            "PutResourcePolicy",
            {"SecretId": "app/db", "ResourcePolicy": "{}", "BlockPublicPolicy": True},
            "secretsmanager:BlockPublicPolicy",
            "true",
        ),
        ("UpdateSecret", {"SecretId": "app/db"}, "secretsmanager:SecretId", f"{ARN}:app/db-AbCdEf"),
        ("UpdateSecret", {"SecretId": "app/db"}, "aws:ResourceTag/team", "blue"),
    ],
)
async def test_conditions(operation: str, members: dict[str, Any], key: str, value: str) -> None:
    """A policy can ask for what the request says."""
    door = Door()
    await door.open(allow("secretsmanager:*", Condition={"StringEquals": {key: value}}))
    assert door.refused(operation, **members) is None
    await door.open(allow("secretsmanager:*", Condition={"StringEquals": {key: f"{value}-not"}}))
    assert door.refused(operation, **members) is not None
