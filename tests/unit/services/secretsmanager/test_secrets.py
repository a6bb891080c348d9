"""Listing, deleting, restoring, staging, tagging secrets; their policies; random passwords."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest

from fakes.parameters import SecretServices
from tidegate.model.secret import Secret, SecretVersion
from tidegate.services.secretsmanager.deletion import SecretDeletion

pytestmark = pytest.mark.anyio
DAY = 86_400
DENY = json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]})
MARKED = (
    "InvalidRequestException",
    "You can't perform this operation on the secret because it was marked for deletion.",
)


async def listed(bench: SecretServices, **members: Any) -> list[str]:
    return [secret["Name"] for secret in (await bench.secrets("ListSecrets", **members))["SecretList"]]


async def test_a_description_has_no_value(bench: SecretServices) -> None:
    """Neither DescribeSecret nor ListSecrets nor ListSecretVersionIds."""
    await bench.create("s", "canary", Tags=[{"Key": "a", "Value": "b"}])
    shown = [
        await bench.secrets("DescribeSecret", SecretId="s"),
        await bench.secrets("ListSecrets"),
        await bench.secrets("ListSecretVersionIds", SecretId="s"),
    ]
    assert "canary" not in str(shown)
    assert shown[0]["Tags"] == [{"Key": "a", "Value": "b"}]


async def test_deletion_with_a_window(bench: SecretServices) -> None:
    """The secret can't be used, is listed only on request, can be restored, and goes when its window ends."""
    await bench.create("s")
    answer = await bench.secrets("DeleteSecret", SecretId="s", RecoveryWindowInDays=7)
    assert answer["DeletionDate"] == bench.time + 7 * DAY
    for operation, members in (
        ("GetSecretValue", {}),
        ("PutSecretValue", {"SecretString": "x"}),
        ("UpdateSecret", {"Description": "x"}),
        ("TagResource", {"Tags": [{"Key": "a"}]}),
        ("UpdateSecretVersionStage", {"VersionStage": "x", "MoveToVersionId": "v" * 32}),
        ("PutResourcePolicy", {"ResourcePolicy": DENY}),
        ("DeleteSecret", {}),
    ):
        assert await bench.refused_secrets(operation, SecretId="s", **members) == MARKED
    assert await bench.refused_secrets("CreateSecret", Name="s") == (
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
    )
    assert (await bench.secrets("DescribeSecret", SecretId="s"))["DeletedDate"] == bench.time
    assert (await listed(bench), await listed(bench, IncludePlannedDeletion=True)) == ([], ["s"])
    await bench.secrets("RestoreSecret", SecretId="s")
    assert await bench.value() == "v"


async def test_purge(bench: SecretServices) -> None:
    """When the window has ended nothing is left, and until the purge has run nothing is found."""
    await bench.create("s")
    await bench.create("other")
    await bench.secrets("DeleteSecret", SecretId="s")
    deletion = SecretDeletion(bench.store, bench.now)
    bench.time += 30 * DAY - 1
    assert await deletion.purge() == 0
    bench.time += 1
    assert (await bench.refused_secrets("RestoreSecret", SecretId="s"))[0] == "ResourceNotFoundException"
    assert await listed(bench, IncludePlannedDeletion=True) == ["other"]
    assert await deletion.purge() == 1
    assert [secret.name for secret in bench.store.select(Secret)] == ["other"]
    assert len(list(bench.store.select(SecretVersion))) == 1


async def test_a_name_is_free_when_the_window_has_ended(bench: SecretServices) -> None:
    """Also if the purge has not come by yet; nothing of the old secret is left."""
    old = (await bench.create("s", "old"))["ARN"]
    await bench.secrets("DeleteSecret", SecretId="s", RecoveryWindowInDays=7)
    bench.time += 7 * DAY
    assert (await bench.create("s", "new"))["ARN"] != old
    assert (await bench.value(), len(list(bench.store.select(SecretVersion)))) == ("new", 1)


async def test_deletion_at_once(bench: SecretServices) -> None:
    """Nothing is left; the name is free; doing it again is no error, also for what never was."""
    await bench.create("s")
    for _ in range(2):
        answer = await bench.secrets("DeleteSecret", SecretId="s", ForceDeleteWithoutRecovery=True)
        assert answer["DeletionDate"] == bench.time
    assert list(bench.store.select(Secret)) == list(bench.store.select(SecretVersion)) == []
    await bench.create("s")
    await bench.secrets("DeleteSecret", SecretId="s")
    await bench.secrets("DeleteSecret", SecretId="s", ForceDeleteWithoutRecovery=True)
    assert list(bench.store.select(Secret)) == []


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True},
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ),
        ({"RecoveryWindowInDays": 6}, "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."),
        ({"RecoveryWindowInDays": 31}, "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."),
    ],
)
async def test_windows(bench: SecretServices, members: dict[str, Any], text: str) -> None:
    """Of 7 to 30 days."""
    await bench.create("s")
    assert await bench.refused_secrets("DeleteSecret", SecretId="s", **members) == ("InvalidParameterException", text)


async def test_list_orders_and_pages(bench: SecretServices) -> None:
    """Newest first, or as is asked; no page loses one."""
    for name in ("b", "c", "a"):
        await bench.create(name)
        bench.time += 1
    assert await listed(bench) == ["a", "c", "b"]
    assert await listed(bench, SortOrder="asc") == ["b", "c", "a"]
    assert await listed(bench, SortBy="name", SortOrder="asc") == ["a", "b", "c"]
    await bench.secrets("UpdateSecret", SecretId="c", Description="x")
    assert (await listed(bench, SortBy="last-changed-date"))[0] == "c"
    first = await bench.secrets("ListSecrets", MaxResults=2)
    assert await listed(bench, MaxResults=2, NextToken=first["NextToken"]) == ["b"]
    code, _ = await bench.refused_secrets("ListSecrets", NextToken=first["NextToken"], SortOrder="asc")
    assert code == "InvalidNextTokenException"


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("name", ["prod/"], ["prod/db"]),
        ("name", ["Prod"], []),
        ("name", ["!prod"], ["dev/db"]),
        ("description", ["MAIN"], ["prod/db"]),
        ("tag-key", ["te"], ["dev/db"]),
        ("tag-value", ["blue", "red"], ["dev/db"]),
        ("all", ["database"], ["prod/db"]),
        ("all", ["db"], ["dev/db", "prod/db"]),
        ("primary-region", ["eu-north-1"], ["dev/db", "prod/db"]),
        ("owning-service", ["rds"], []),
    ],
)
async def test_filters(bench: SecretServices, key: str, values: list[str], expected: list[str]) -> None:
    """Each finds what AWS would."""
    await bench.create("prod/db", Description="Main database")
    await bench.create("dev/db", Tags=[{"Key": "team", "Value": "blue"}])
    found = await listed(bench, Filters=[{"Key": key, "Values": values}], SortBy="name", SortOrder="asc")
    assert found == expected


async def test_version_ids(bench: SecretServices) -> None:
    """With their labels, oldest first; those without one on request."""
    first = (await bench.create("s", KmsKeyId="alias/k"))["VersionId"]
    for number in (2, 3):
        bench.time += 1
        await bench.secrets("PutSecretValue", SecretId="s", SecretString=str(number))
    shown = await bench.secrets("ListSecretVersionIds", SecretId="s")
    assert [v["VersionStages"] for v in shown["Versions"]] == [["AWSPREVIOUS"], ["AWSCURRENT"]]
    every = await bench.secrets("ListSecretVersionIds", SecretId="s", IncludeDeprecated=True, MaxResults=1)
    assert every["Versions"][0]["VersionId"] == first
    assert every["Versions"][0]["KmsKeyIds"] == ["alias/k"]
    assert "NextToken" in every


async def test_moving_labels(bench: SecretServices) -> None:
    """AWSCURRENT back to the version before: AWSPREVIOUS goes the other way."""
    first = (await bench.create("s", "1"))["VersionId"]
    second = (await bench.secrets("PutSecretValue", SecretId="s", SecretString="2"))["VersionId"]
    move = {"SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": first}
    assert await bench.refused_secrets("UpdateSecretVersionStage", **move) == (
        "InvalidParameterException",
        "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "
        f"{second}, so you must explicitly reference that version in RemoveFromVersionId.",
    )
    await bench.secrets("UpdateSecretVersionStage", **move, RemoveFromVersionId=second)
    assert (await bench.value(), await bench.value(VersionStage="AWSPREVIOUS")) == ("1", "2")
    await bench.secrets("UpdateSecretVersionStage", SecretId="s", VersionStage="mine", MoveToVersionId=first)
    await bench.secrets("UpdateSecretVersionStage", SecretId="s", VersionStage="mine", RemoveFromVersionId=first)
    assert (await bench.refused_secrets("GetSecretValue", SecretId="s", VersionStage="mine"))[0] == (
        "ResourceNotFoundException"
    )


async def test_labels_that_do_not_move(bench: SecretServices) -> None:
    """AWSCURRENT is never without a version; versions that are not there are named."""
    first = (await bench.create("s", "1"))["VersionId"]
    stage = {"SecretId": "s", "VersionStage": "AWSCURRENT"}
    code, text = await bench.refused_secrets("UpdateSecretVersionStage", **stage, RemoveFromVersionId=first)
    assert code == "InvalidParameterException"
    assert text.startswith("You can only move staging label AWSCURRENT to a different secret version.")
    code, _ = await bench.refused_secrets("UpdateSecretVersionStage", **stage, MoveToVersionId="x" * 32)
    assert code == "ResourceNotFoundException"
    for members in ({}, {"VersionStage": "other", "RemoveFromVersionId": first}):
        code, _ = await bench.refused_secrets("UpdateSecretVersionStage", **{**stage, **members})
        assert code == "InvalidParameterException"


async def test_twenty_labels(bench: SecretServices) -> None:
    """Are the most that a version has."""
    await bench.create("s", "1")
    full = [f"l{number}" for number in range(20)]
    made = await bench.secrets("PutSecretValue", SecretId="s", SecretString="2", VersionStages=full)
    one_more = {"SecretId": "s", "VersionStage": "more", "MoveToVersionId": made["VersionId"]}
    assert (await bench.refused_secrets("UpdateSecretVersionStage", **one_more))[0] == "LimitExceededException"


async def test_tags(bench: SecretServices) -> None:
    """Added, replaced, removed."""
    await bench.create("s", Tags=[{"Key": "a", "Value": "1"}])
    await bench.secrets("TagResource", SecretId="s", Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    await bench.secrets("UntagResource", SecretId="s", TagKeys=["b", "z"])
    assert (await bench.secrets("DescribeSecret", SecretId="s"))["Tags"] == [{"Key": "a", "Value": "2"}]
    many = [{"Key": f"k{n}"} for n in range(50)]
    assert (await bench.refused_secrets("TagResource", SecretId="s", Tags=many))[0] == "InvalidParameterException"


async def test_policies(bench: SecretServices) -> None:
    """Returned as they were given; what can't be read, or opens the secret to everybody, is refused."""
    await bench.create("s")
    assert "ResourcePolicy" not in await bench.secrets("GetResourcePolicy", SecretId="s")
    policy = DENY
    await bench.secrets("PutResourcePolicy", SecretId="s", ResourcePolicy=policy, BlockPublicPolicy=True)
    assert (await bench.secrets("GetResourcePolicy", SecretId="s"))["ResourcePolicy"] == policy
    await bench.secrets("DeleteResourcePolicy", SecretId="s")
    assert "ResourcePolicy" not in await bench.secrets("GetResourcePolicy", SecretId="s")
    public = '{"Statement": {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "*", "Resource": "*"}}'
    for text, code in (
        ("{", "MalformedPolicyDocumentException"),
        ("[" * 5000, "MalformedPolicyDocumentException"),
        ('{"Statement": []}x', "MalformedPolicyDocumentException"),
        ('{"Statement": [{"Effect": "Maybe"}]}', "MalformedPolicyDocumentException"),
        ("null", "MalformedPolicyDocumentException"),
        (DENY.replace('"*", "Action"', '{"AWS": "nobody"}, "Action"'), "MalformedPolicyDocumentException"),
        (DENY.replace('"Principal": "*", ', ""), "MalformedPolicyDocumentException"),
        (DENY.replace(', "Resource": "*"', ""), "MalformedPolicyDocumentException"),
        (public, "PublicPolicyException"),
    ):
        found = await bench.refused_secrets(
            "PutResourcePolicy", SecretId="s", ResourcePolicy=text, BlockPublicPolicy=True
        )
        assert found[0] == code
    named = {"SecretId": "s", "PolicyName": "p"}
    assert (await bench.refused_secrets("GetResourcePolicy", **named))[0] == "InvalidParameterException"


async def test_random_passwords(bench: SecretServices) -> None:
    """Of each kind that is not excluded, as long as asked."""
    password = (await bench.secrets("GetRandomPassword"))["RandomPassword"]
    assert len(password) == 32
    for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation):
        assert set(password) & set(kind)
    digits = await bench.secrets(
        "GetRandomPassword",
        PasswordLength=200,
        ExcludePunctuation=True,
        ExcludeUppercase=True,
        ExcludeLowercase=True,
        ExcludeCharacters="01",
        IncludeSpace=True,
    )
    assert set(digits["RandomPassword"]) == set(" 23456789")
    assert await bench.refused_secrets("GetRandomPassword", PasswordLength=3) == (
        "InvalidParameterException",
        "Password length is too short based on the required types.",
    )
    short = await bench.secrets("GetRandomPassword", PasswordLength=1, RequireEachIncludedType=False)
    assert len(short["RandomPassword"]) == 1
    nothing = {f"Exclude{kind}": True for kind in ("Numbers", "Punctuation", "Uppercase", "Lowercase")}
    assert (await bench.refused_secrets("GetRandomPassword", **nothing))[0] == "InvalidParameterException"
