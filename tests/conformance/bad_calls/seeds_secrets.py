"""Valid calls of the Parameter Store and of Secrets Manager."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.bad_calls.seeds_ecs import Seed
from conformance.bad_calls.world import PARAMETER, SECRET, World

TAGS = [{"Key": "team", "Value": "blue"}]
KMS = "arn:aws:kms:eu-north-1:123456789012:key/1"
TOKEN = "0f9f0ae8-1e9b-4b9c-9a6e-0e9f3f1d7a55"
SSM_FILTER = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/app"]}]

SSM_SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "PutParameter": (
        lambda _: {
            "Name": "/new/key",
            "Description": "a key",
            "Value": "value",
            "Type": "SecureString",
            "KeyId": KMS,
            "AllowedPattern": "[a-z]+",
            "Tags": TAGS,
            "Tier": "Standard",
            "DataType": "text",
        },
        lambda _: {"Name": PARAMETER, "Value": "other", "Overwrite": True},
    ),
    "GetParameter": (lambda _: {"Name": PARAMETER, "WithDecryption": True},),
    "GetParameters": (lambda _: {"Names": [PARAMETER], "WithDecryption": True},),
    "GetParametersByPath": (
        lambda _: {
            "Path": "/app",
            "Recursive": True,
            "WithDecryption": True,
            "MaxResults": 5,
            "ParameterFilters": [{"Key": "Type", "Values": ["String"]}],
        },
    ),
    "DeleteParameter": (lambda _: {"Name": PARAMETER},),
    "DeleteParameters": (lambda _: {"Names": [PARAMETER]},),
    "DescribeParameters": (
        lambda _: {"ParameterFilters": SSM_FILTER, "MaxResults": 5},
        lambda _: {"Filters": [{"Key": "Name", "Values": ["/app/key"]}]},
    ),
    "GetParameterHistory": (lambda _: {"Name": PARAMETER, "WithDecryption": True, "MaxResults": 5},),
    "LabelParameterVersion": (lambda _: {"Name": PARAMETER, "ParameterVersion": 1, "Labels": ["live"]},),
    "UnlabelParameterVersion": (lambda _: {"Name": PARAMETER, "ParameterVersion": 1, "Labels": ["first"]},),
    "AddTagsToResource": (lambda _: {"ResourceType": "Parameter", "ResourceId": PARAMETER, "Tags": TAGS},),
    "RemoveTagsFromResource": (lambda _: {"ResourceType": "Parameter", "ResourceId": PARAMETER, "TagKeys": ["team"]},),
    "ListTagsForResource": (lambda _: {"ResourceType": "Parameter", "ResourceId": PARAMETER},),
}


def _version(world: World) -> str:
    return world.secret_version


SECRETS_SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "CreateSecret": (
        lambda _: {
            "Name": "new/db",
            "ClientRequestToken": TOKEN,
            "Description": "d",
            "KmsKeyId": KMS,
            "SecretString": "s",
            "Tags": TAGS,
        },
        lambda _: {"Name": "new/binary", "SecretBinary": "AAEC", "ClientRequestToken": TOKEN},
    ),
    "GetSecretValue": (lambda world: {"SecretId": SECRET, "VersionId": _version(world), "VersionStage": "AWSCURRENT"},),
    "BatchGetSecretValue": (
        lambda _: {"SecretIdList": [SECRET]},
        lambda _: {"Filters": [{"Key": "name", "Values": ["app"]}], "MaxResults": 5},
    ),
    "PutSecretValue": (
        lambda _: {
            "SecretId": SECRET,
            "ClientRequestToken": TOKEN,
            "SecretString": "n",
            "VersionStages": ["AWSCURRENT"],
        },
    ),
    "UpdateSecret": (
        lambda _: (
            {"SecretId": SECRET, "ClientRequestToken": TOKEN, "Description": "d", "KmsKeyId": KMS}
            | {"SecretString": "n"}
        ),
    ),
    "DescribeSecret": (lambda _: {"SecretId": SECRET},),
    "ListSecrets": (
        lambda _: {
            "IncludePlannedDeletion": True,
            "MaxResults": 5,
            "Filters": [{"Key": "name", "Values": ["app"]}],
            "SortOrder": "asc",
        },
    ),
    "DeleteSecret": (lambda _: {"SecretId": SECRET, "RecoveryWindowInDays": 7},),
    "RestoreSecret": (lambda _: {"SecretId": "gone/db"},),
    "ListSecretVersionIds": (lambda _: {"SecretId": SECRET, "MaxResults": 5, "IncludeDeprecated": True},),
    "UpdateSecretVersionStage": (
        lambda world: {"SecretId": SECRET, "VersionStage": "MINE", "MoveToVersionId": _version(world)},
    ),
    "TagResource": (lambda _: {"SecretId": SECRET, "Tags": TAGS},),
    "UntagResource": (lambda _: {"SecretId": SECRET, "TagKeys": ["team"]},),
    "GetRandomPassword": (
        lambda _: {"PasswordLength": 16, "ExcludeCharacters": "abc", "ExcludeNumbers": True, "IncludeSpace": True},
    ),
    "GetResourcePolicy": (lambda _: {"SecretId": SECRET},),
    "PutResourcePolicy": (lambda _: {"SecretId": SECRET, "ResourcePolicy": POLICY, "BlockPublicPolicy": False},),
    "DeleteResourcePolicy": (lambda _: {"SecretId": SECRET},),
}
POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}'
    ', "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}'
)
