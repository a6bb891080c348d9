"""Values read in the name of an execution role: what it may, and in AWS's words what it may not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fakes.identity import ACCOUNT, Identities, allow, deny
from fakes.parameters import SecretServices
from fakes.specs import task_spec
from tidegate.model.execution import ExecutionFailure, RegistryLogin
from tidegate.services.execution.secrets import ExecutionSecrets

pytestmark = pytest.mark.anyio
SSM = "arn:aws:ssm:eu-north-1:123456789012:parameter"
ROLE = "arn:aws:iam::123456789012:role/execution"
READS = allow("ssm:GetParameters", "secretsmanager:GetSecretValue")
ID = "1" * 32
USER = f"User: arn:aws:sts::123456789012:assumed-role/execution/{ID} is not authorized to perform:"
FROM_SSM = "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
FROM_ASM = "unable to retrieve secret from asm: service call has been retried 1 time(s): "
LOGIN = "unable to get registry auth from asm: service call has been retried 1 time(s): "


class Bench(SecretServices):
    """Parameters, secrets, and the role `execution` that reads them."""

    def __init__(self) -> None:
        self.identities = Identities()
        super().__init__(self.identities.store)
        self.reader = ExecutionSecrets(self.store, self.sealer, self.identities.authorizer, self.now)
        self.task = task_spec(id=ID, account=ACCOUNT.id, region=ACCOUNT.region, execution_role=ROLE)

    async def may(self, *statements: dict[str, Any]) -> Bench:
        await self.identities.role("execution", *statements)
        return self

    async def read(self, *references: str) -> dict[str, str]:
        return dict(await self.reader.read_values(self.task, references))

    async def failure(self, *references: str) -> str:
        """The reason, without the request's id."""
        with pytest.raises(ExecutionFailure) as caught:
            await self.read(*references)
        return _without_id(caught.value)

    async def login_failure(self, reference: str) -> str:
        with pytest.raises(ExecutionFailure) as caught:
            await self.reader.read_login(self.task, reference)
        return _without_id(caught.value)


def _without_id(error: Exception) -> str:
    assert "canary" not in str(error)
    return re.sub(r"request id: [0-9a-f-]{36}", "request id: R", str(error))


async def test_parameters() -> None:
    """By name and by ARN, of every type, decrypted."""
    bench = await Bench().may(READS)
    await bench.put("plain", "1")
    await bench.put("/a/b", "2", Type="SecureString")
    await bench.put("list", "x,y", Type="StringList")
    assert await bench.read("plain", "/a/b", f"{SSM}/a/b", "list") == {
        "plain": "1",
        "/a/b": "2",
        f"{SSM}/a/b": "2",
        "list": "x,y",
    }


async def test_parameters_that_are_not_there() -> None:
    """All of them are named, as Fargate does."""
    bench = await Bench().may(READS)
    await bench.put("here")
    other = "arn:aws:ssm:us-west-2:123456789012:parameter/here"
    assert await bench.failure("gone", "here", "/also/gone") == f"{FROM_SSM}invalid ssm parameters: gone,/also/gone"
    assert await bench.failure(other) == f"{FROM_SSM}invalid ssm parameters: {other}"


@pytest.mark.parametrize("name", ["/app/key", f"{SSM}/app/key"])
async def test_a_role_that_may_not_read_a_parameter(name: str) -> None:
    """The session, the action and the ARN are told; whether the parameter is there is not."""
    bench = await Bench().may(allow("ssm:GetParameters", resource=f"{SSM}/other/*"))
    expected = (
        f"{FROM_SSM}AccessDeniedException: {USER} ssm:GetParameters on resource: {SSM}/app/key because no "
        "identity-based policy allows the ssm:GetParameters action status code: 400, request id: R"
    )
    assert await bench.failure(name) == expected
    await bench.put("/app/key", "canary")
    assert await bench.failure(name) == expected


async def test_an_explicit_deny() -> None:
    """Wins, and is told."""
    bench = await Bench().may(READS, deny("ssm:GetParameters", resource=f"{SSM}/app/*"))
    await bench.put("/app/key", "canary")
    assert "with an explicit deny in an identity-based policy" in await bench.failure("/app/key")


async def test_keys_of_parameters() -> None:
    """A SecureString under a key of one's own takes kms:Decrypt on it; AWS's own key takes nothing."""
    bench = await Bench().may(READS)
    await bench.put("own", "canary", Type="SecureString", KeyId="abc-def")
    await bench.put("default", "1", Type="SecureString", KeyId="alias/aws/ssm")
    assert await bench.read("default") == {"default": "1"}
    assert await bench.failure("own") == (
        f"{FROM_SSM}AccessDeniedException: The ciphertext refers to a customer master key that does not exist, "
        "does not exist in this region, or you are not allowed to access. status code: 400, request id: R"
    )
    key = "arn:aws:kms:eu-north-1:123456789012:key/abc-def"
    allowed = await Bench().may(READS, allow("kms:Decrypt", resource=key))
    await allowed.put("own", "1", Type="SecureString", KeyId="abc-def")
    await allowed.put("arn", "2", Type="SecureString", KeyId=key)
    assert await allowed.read("own", "arn") == {"own": "1", "arn": "2"}
    await allowed.put("alias", "canary", Type="SecureString", KeyId="alias/mine")
    assert "customer master key" in await allowed.failure("alias")


async def test_secrets() -> None:
    """The whole, a key of it, a stage, a version."""
    bench = await Bench().may(READS)
    first = await bench.create("db", json.dumps({"user": "u", "port": 5432, "tls": True, "more": {"a": [1]}}))
    await bench.secrets("PutSecretValue", SecretId="db", SecretString='{"user": "v"}')
    arn, version = first["ARN"], first["VersionId"]
    assert await bench.read(arn, f"{arn}:user::", f"{arn}:user:AWSPREVIOUS:", f"{arn}:port::{version}") == {
        arn: '{"user": "v"}',
        f"{arn}:user::": "v",
        f"{arn}:user:AWSPREVIOUS:": "u",
        f"{arn}:port::{version}": "5432",
    }
    assert await bench.read(f"{arn}:tls::{version}", f"{arn}:more::{version}") == {
        f"{arn}:tls::{version}": "true",
        f"{arn}:more::{version}": '{"a":[1]}',
    }
    assert await bench.read(arn[:-7]) == {arn[:-7]: '{"user": "v"}'}


async def test_secrets_that_can_not_be_read() -> None:
    """Each with what Secrets Manager says, and never with a part of the value."""
    bench = await Bench().may(READS)
    arn = (await bench.create("db", "canary is no json"))["ARN"]
    binary = (await bench.create("bin", None, SecretBinary="Y2FuYXJ5"))["ARN"]
    gone = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:gone-AbCdEf"
    fetch = f"{FROM_ASM}failed to fetch secret {{}} from secrets manager: "
    assert await bench.failure(gone) == fetch.format(gone) + (
        "ResourceNotFoundException: Secrets Manager can't find the specified secret. status code: 400, request id: R"
    )
    assert await bench.failure(f"{arn}::other:") == fetch.format(arn) + (
        "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: other "
        "status code: 400, request id: R"
    )
    missing = f"{FROM_ASM}retrieved secret from Secrets Manager did not contain json key password"
    assert await bench.failure(f"{arn}:password::") == missing
    assert "SecretBinary" in await bench.failure(binary)
    await bench.secrets("DeleteSecret", SecretId="db")
    assert "was marked for deletion." in await bench.failure(arn)


async def test_a_role_that_may_not_read_a_secret() -> None:
    """The ARN is the secret's whole one."""
    bench = await Bench().may(allow("ssm:GetParameters"))
    arn = (await bench.create("db", "canary"))["ARN"]
    assert await bench.failure(arn[:-7]) == (
        f"{FROM_ASM}failed to fetch secret {arn[:-7]} from secrets manager: AccessDeniedException: {USER} "
        f"secretsmanager:GetSecretValue on resource: {arn} because no identity-based policy allows the "
        "secretsmanager:GetSecretValue action status code: 400, request id: R"
    )


async def test_a_secrets_own_policy() -> None:
    """Keeps an execution role out, or lets it in."""
    bench = await Bench().may(READS)
    arn = (await bench.create("db", "canary"))["ARN"]
    policy = {"Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "secretsmanager:*", "Resource": "*"}
    await bench.secrets("PutResourcePolicy", SecretId="db", ResourcePolicy=json.dumps({"Statement": policy}))
    assert "with an explicit deny in a resource-based policy" in await bench.failure(arn)
    other = await Bench().may(allow("ssm:GetParameters"))
    arn = (await other.create("db", "1"))["ARN"]
    policy["Effect"] = "Allow"
    await other.secrets("PutResourcePolicy", SecretId="db", ResourcePolicy=json.dumps({"Statement": policy}))
    assert await other.read(arn) == {arn: "1"}


async def test_keys_of_secrets() -> None:
    """A key that the role may not use keeps the secret from it."""
    bench = await Bench().may(READS)
    arn = (await bench.create("db", "canary", KmsKeyId="alias/mine"))["ARN"]
    assert "AccessDeniedException: Access to KMS is not allowed status code: 400" in await bench.failure(arn)
    allowed = await Bench().may(READS, allow("kms:Decrypt"))
    arn = (await allowed.create("db", "1", KmsKeyId="alias/mine"))["ARN"]
    assert await allowed.read(arn) == {arn: "1"}


async def test_a_reading_task_counts_as_access() -> None:
    """DescribeSecret shows the day."""
    bench = await Bench().may(READS)
    arn = (await bench.create("db"))["ARN"]
    await bench.read(arn)
    assert "LastAccessedDate" in await bench.secrets("DescribeSecret", SecretId="db")


async def test_logins() -> None:
    """By ARN or name."""
    bench = await Bench().may(READS)
    arn = (await bench.create("hub", '{"username": "me", "password": "pass"}'))["ARN"]
    for name in ("hub", arn):
        assert await bench.reader.read_login(bench.task, name) == RegistryLogin("me", "pass")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('{"username": "canary"}', "password"),
        ('{"username": "", "password": "canary"}', "username"),
        ('{"username": 5, "password": "canary"}', "username"),
        ("canary", "username"),
        ('["canary"]', "username"),
    ],
)
async def test_a_login_that_is_none(text: str, missing: str) -> None:
    """What lacks is told."""
    bench = await Bench().may(READS)
    await bench.create("hub", text)
    expected = f"{LOGIN}asm fetching {missing}: AuthorizationData is malformed, empty field"
    assert await bench.login_failure("hub") == expected


async def test_a_login_that_is_not_there() -> None:
    """In the words of Fargate's agent."""
    bench = await Bench().may(READS)
    assert await bench.login_failure("gone") == (
        f"{LOGIN}asm fetching secret from the service for gone: ResourceNotFoundException: Secrets Manager can't find "
        "the specified secret. status code: 400, request id: R"
    )


async def test_a_role_that_is_not_there() -> None:
    """May nothing: one that was to be made has been made by the time a task is launched."""
    bench = Bench()
    await bench.put("p", "canary")
    assert "because no identity-based policy allows the ssm:GetParameters action" in await bench.failure("p")


async def test_a_task_without_an_execution_role() -> None:
    """Reads nothing."""
    bench = await Bench().may(READS)
    bench.task = task_spec(account=ACCOUNT.id, region=ACCOUNT.region)
    assert await bench.failure("p") == "the task definition names no execution role"


async def test_references_that_are_none() -> None:
    """Are refused when a definition is registered; one that came by another way fails here."""
    bench = await Bench().may(READS)
    assert await bench.failure("a b") == "invalid ssm parameters: a b"
    assert "has to be that of" in await bench.failure("arn:aws:s3:::a/b")
