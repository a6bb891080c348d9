"""Making secrets and their versions, and reading them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fakes.parameters import SecretServices
from tidegate.model.secret import SecretVersion

pytestmark = pytest.mark.anyio
TOKEN = "0123456789abcdef0123456789abcdef-{}"


async def test_create_and_read(bench: SecretServices) -> None:
    """By name, by ARN, and by an ARN without its last six characters."""
    made = await bench.create("app/db", "canary", ClientRequestToken=TOKEN.format(1))
    arn = made["ARN"]
    assert arn.startswith("arn:aws:secretsmanager:eu-north-1:123456789012:secret:app/db-")
    assert len(arn.rpartition("-")[2]) == 6
    for name in ("app/db", arn, arn[:-7]):
        assert await bench.secrets("GetSecretValue", SecretId=name) == {
            "ARN": arn,
            "Name": "app/db",
            "VersionId": TOKEN.format(1),
            "SecretString": "canary",
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": bench.time,
        }


async def test_the_value_is_sealed_at_rest(bench: SecretServices) -> None:
    """The record does not show it."""
    await bench.create("s", "canary-value")
    (version,) = bench.store.select(SecretVersion)
    assert b"canary" not in version.sealed_value


async def test_bytes(bench: SecretServices) -> None:
    """Come back as bytes."""
    binary = base64.b64encode(bytes(range(256))).decode()
    await bench.create("s", None, SecretBinary=binary)
    answer = await bench.secrets("GetSecretValue", SecretId="s")
    assert answer["SecretBinary"] == binary
    assert "SecretString" not in answer


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s",
        "arn:aws:secretsmanager:eu-north-1:000000000000:secret:s",
        "arn:aws:secretsmanager:eu-north-1:123456789012:secret:s-abcde",
        "arn:aws:ssm:eu-north-1:123456789012:secret:s",
        "arn:",
    ],
)
async def test_what_is_not_there(bench: SecretServices, name: str) -> None:
    """AWS's text, whatever the operation."""
    await bench.create("s")
    for operation in ("GetSecretValue", "DescribeSecret", "DeleteSecret", "RestoreSecret", "ListSecretVersionIds"):
        assert await bench.refused_secrets(operation, SecretId=name) == (
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        )


async def test_a_secret_whose_name_ends_like_an_arn(bench: SecretServices) -> None:
    """Is found by its name and by its partial ARN."""
    arn = (await bench.create("db-abcdef", "v"))["ARN"]
    assert await bench.value("db-abcdef") == await bench.value(arn) == await bench.value(arn[:-7]) == "v"


async def test_versions_move_on(bench: SecretServices) -> None:
    """The new one is current, the one before it previous, older ones have no label."""
    for number in (1, 2, 3):
        token = TOKEN.format(number)
        if number == 1:
            await bench.create("s", "v1", ClientRequestToken=token)
        else:
            answer = await bench.secrets(
                "PutSecretValue", SecretId="s", SecretString=f"v{number}", ClientRequestToken=token
            )
            assert answer["VersionStages"] == ["AWSCURRENT"]
    assert await bench.value() == "v3"
    assert await bench.value(VersionStage="AWSPREVIOUS") == "v2"
    assert await bench.value(VersionId=TOKEN.format(1)) == "v1"
    assert (await bench.secrets("DescribeSecret", SecretId="s"))["VersionIdsToStages"] == {
        TOKEN.format(3): ["AWSCURRENT"],
        TOKEN.format(2): ["AWSPREVIOUS"],
    }


async def test_pending(bench: SecretServices) -> None:
    """A version with labels of its own leaves the current one current."""
    await bench.create("s", "old")
    await bench.secrets("PutSecretValue", SecretId="s", SecretString="new", VersionStages=["AWSPENDING"])
    assert (await bench.value(), await bench.value(VersionStage="AWSPENDING")) == ("old", "new")
    assert await bench.refused_secrets("GetSecretValue", SecretId="s", VersionStage="AWSPREVIOUS") == (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
    )


async def test_a_version_and_a_stage_have_to_agree(bench: SecretServices) -> None:
    """Else AWS's text; a version that is not there has another."""
    token = (await bench.create("s"))["VersionId"]
    await bench.secrets("PutSecretValue", SecretId="s", SecretString="2")
    assert await bench.value(VersionId=token, VersionStage="AWSPREVIOUS") == "v"
    assert await bench.refused_secrets("GetSecretValue", SecretId="s", VersionId=token, VersionStage="AWSCURRENT") == (
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
    )
    missing = TOKEN.format("none")
    assert await bench.refused_secrets("GetSecretValue", SecretId="s", VersionId=missing) == (
        "ResourceNotFoundException",
        f"Secrets Manager can't find the specified secret value for VersionId: {missing}",
    )


async def test_the_same_token_again(bench: SecretServices) -> None:
    """With the same value nothing changes; with another it is refused, and the value is not told."""
    token = TOKEN.format(1)
    made = await bench.create("s", "canary", ClientRequestToken=token)
    assert await bench.create("s", "canary", ClientRequestToken=token) == made
    again = await bench.secrets("PutSecretValue", SecretId="s", SecretString="canary", ClientRequestToken=token)
    assert again["VersionId"] == token
    assert len(list(bench.store.select(SecretVersion))) == 1
    for operation, members in (
        ("PutSecretValue", {"SecretId": "s", "SecretString": "canary2"}),
        ("UpdateSecret", {"SecretId": "s", "SecretString": "canary2"}),
    ):
        assert await bench.refused_secrets(operation, ClientRequestToken=token, **members) == (
            "ResourceExistsException",
            f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret "
            f"{made['ARN']}.",
        )
    assert await bench.refused_secrets("CreateSecret", Name="s", SecretString="x") == (
        "ResourceExistsException",
        "The operation failed because the secret s already exists.",
    )


async def test_a_secret_without_a_value(bench: SecretServices) -> None:
    """Can be made; it has no version until one is put."""
    assert "VersionId" not in await bench.create("s", None)
    code, text = await bench.refused_secrets("GetSecretValue", SecretId="s")
    assert text == "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
    assert code == "ResourceNotFoundException"
    await bench.secrets("PutSecretValue", SecretId="s", SecretString="x")
    assert await bench.value() == "x"


async def test_update(bench: SecretServices) -> None:
    """Description and key alone make no version; a value does."""
    await bench.create("s", "1", Description="a", KmsKeyId="alias/k")
    assert "VersionId" not in await bench.secrets("UpdateSecret", SecretId="s", Description="b")
    assert "VersionId" in await bench.secrets("UpdateSecret", SecretId="s", SecretString="2")
    shown = await bench.secrets("DescribeSecret", SecretId="s")
    assert (shown["Description"], shown["KmsKeyId"], await bench.value()) == ("b", "alias/k", "2")
    assert await bench.value(VersionStage="AWSPREVIOUS") == "1"


async def test_a_hundred_versions(bench: SecretServices) -> None:
    """Versions without a label give way, the oldest first; those with one don't."""
    first = (await bench.create("s", "0"))["VersionId"]
    for number in range(1, 100):
        await bench.secrets("PutSecretValue", SecretId="s", SecretString=str(number))
    assert len(list(bench.store.select(SecretVersion))) == 100
    await bench.secrets("PutSecretValue", SecretId="s", SecretString="100")
    assert len(list(bench.store.select(SecretVersion))) == 100
    assert (await bench.refused_secrets("GetSecretValue", SecretId="s", VersionId=first))[0] == (
        "ResourceNotFoundException"
    )


async def test_a_hundred_versions_with_labels(bench: SecretServices) -> None:
    """Are all that there can be."""
    await bench.create("s", "0")
    for number in range(1, 100):
        await bench.secrets("PutSecretValue", SecretId="s", SecretString="x", VersionStages=[f"l{number}"])
    code, _ = await bench.refused_secrets("PutSecretValue", SecretId="s", SecretString="x", VersionStages=["l"])
    assert code == "LimitExceededException"


async def test_the_day_of_the_last_access(bench: SecretServices) -> None:
    """Is shown as a day; a disk that is full keeps nobody from reading."""
    await bench.create("s")
    assert "LastAccessedDate" not in await bench.secrets("DescribeSecret", SecretId="s")
    bench.store.failure = "disk full"
    assert await bench.value() == "v"
    bench.store.failure = None
    await bench.value()
    day = (await bench.secrets("DescribeSecret", SecretId="s"))["LastAccessedDate"]
    assert day % 86_400 == 0
    assert 0 <= bench.time - day < 86_400


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("CreateSecret", {"Name": "a b"}, "ValidationException", "Invalid name. Must be a valid name containing"),
    (
        "CreateSecret",
        {"Name": "n", "AddReplicaRegions": [{"Region": "eu-west-1"}]},
        "InvalidParameterException",
        "replication",
    ),
    ("CreateSecret", {"Name": "n", "Type": "Salesforce"}, "InvalidParameterException", "that others manage"),
    (
        "CreateSecret",
        {"Name": "n", "SecretString": "canary", "SecretBinary": "aa=="},
        "InvalidParameterException",
        "both",
    ),
    ("CreateSecret", {"Name": "n", "Tags": [{"Value": "x"}]}, "InvalidParameterException", "Invalid characters in tag"),
    ("PutSecretValue", {"SecretId": "s"}, "InvalidRequestException", "You must provide either SecretString or"),
    (
        "PutSecretValue",
        {"SecretId": "s", "SecretString": "canary", "RotationToken": "r" * 36},
        "InvalidParameterException",
        "the rotation of secrets",
    ),
    ("UpdateSecret", {"SecretId": "s", "Type": "t"}, "InvalidParameterException", "that others manage"),
]


@pytest.mark.parametrize(
    ("operation", "members", "code", "text"), REFUSED, ids=[f"{row[0]}-{row[3][:12]}" for row in REFUSED]
)
async def test_what_is_refused(
    bench: SecretServices, operation: str, members: dict[str, Any], code: str, text: str
) -> None:
    """With the modelled error; the value is in no text, and nothing is kept."""
    await bench.create("s")
    before = list(bench.store.select(SecretVersion))
    found = await bench.refused_secrets(operation, **members)
    assert found[0] == code
    assert text in found[1]
    assert "canary" not in found[1]
    assert list(bench.store.select(SecretVersion)) == before


async def test_batch(bench: SecretServices) -> None:
    """Values of those that are there; the rest with the reason."""
    await bench.create("a", "1")
    await bench.create("b", "2", Tags=[{"Key": "team", "Value": "x"}])
    answer = await bench.secrets("BatchGetSecretValue", SecretIdList=["b", "nothing", "a"])
    assert [(v["Name"], v["SecretString"]) for v in answer["SecretValues"]] == [("b", "2"), ("a", "1")]
    assert answer["Errors"] == [
        {
            "SecretId": "nothing",
            "ErrorCode": "ResourceNotFoundException",
            "Message": "Secrets Manager can't find the specified secret.",
        }
    ]
    by_filter = await bench.secrets("BatchGetSecretValue", Filters=[{"Key": "tag-key", "Values": ["team"]}])
    assert [v["Name"] for v in by_filter["SecretValues"]] == ["b"]
    first = await bench.secrets("BatchGetSecretValue", Filters=[{"Key": "name", "Values": ["!z"]}], MaxResults=1)
    rest = await bench.secrets(
        "BatchGetSecretValue", Filters=[{"Key": "name", "Values": ["!z"]}], NextToken=first["NextToken"]
    )
    assert [v["Name"] for v in first["SecretValues"] + rest["SecretValues"]] == ["a", "b"]
    for members in ({}, {"SecretIdList": ["a"], "Filters": [{"Key": "name", "Values": ["a"]}]}):
        assert (await bench.refused_secrets("BatchGetSecretValue", **members))[0] == "InvalidParameterException"
