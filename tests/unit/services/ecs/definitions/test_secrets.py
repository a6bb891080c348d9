"""What is fetched at launch: forms, limits, and the role without which nobody fetches it."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import ROLE, container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

SECRET = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:db-AbCdEf"
FILE = {"type": "s3", "value": "arn:aws:s3:::bucket/a.env"}
LOG = {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"}
SETTING = "Invalid setting for container 'web'. "


def secret(value: str, name: str = "S") -> dict[str, Any]:
    return {"secrets": [{"name": name, "valueFrom": value}]}


@pytest.mark.parametrize(
    "members",
    [
        secret("/a/b"),
        secret("arn:aws:ssm:eu-north-1:123456789012:parameter/a"),
        secret(SECRET),
        secret(f"{SECRET}:key:AWSPREVIOUS:"),
        {"environmentFiles": [FILE] * 10},
        {"repositoryCredentials": {"credentialsParameter": SECRET}},
        {"repositoryCredentials": {"credentialsParameter": "hub/login"}},
    ],
)
def test_what_can_be_fetched_is_accepted(members: dict[str, Any]) -> None:
    """And is kept as it was given."""
    accepted = accept(fargate(container(**members), executionRoleArn=ROLE))
    (kept,) = accepted.container_definitions or ()
    assert "FARGATE" in (accepted.compatibilities or ())
    assert kept.secrets or kept.environment_files or kept.repository_credentials


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            secret("a b"),
            "The Systems Manager parameter name specified for secret S is invalid. The parameter name can be up to "
            "2048 characters and include the following letters and symbols: a-zA-Z0-9_.-",
        ),
        (
            secret(f"{SECRET}:key"),
            "Invalid 'valueFrom' of secret S: an invalid ARN format for the AWS Secrets Manager secret was specified.",
        ),
        (
            secret(f"{SECRET}::stage:version"),
            "Invalid 'valueFrom' of secret S: a version stage and a version id can't both be specified for a secret.",
        ),
        (
            secret("arn:aws:s3:::bucket/key"),
            "Invalid 'valueFrom' of secret S: an ARN has to be that of a Systems Manager parameter or a Secrets "
            "Manager secret.",
        ),
        (secret("p", ""), SETTING + "A secret's name must not be empty or contain '=' or a null character."),
        (secret("p", "A=B"), SETTING + "A secret's name must not be empty or contain '=' or a null character."),
        (
            {"environmentFiles": [{**FILE, "value": f"arn:aws:s3:::bucket/{n}.env"} for n in range(11)]},
            "The maximum number of environment files was exceeded. Specify ten or less and try again.",
        ),
        ({"environmentFiles": [{**FILE, "value": "s3://bucket/a.env"}]}, "Invalid arn syntax."),
        (
            {"environmentFiles": [{**FILE, "value": "arn:aws:s3:::bucket/a.txt"}]},
            "The environment file arn:aws:s3:::bucket/a.txt must have the file extension .env.",
        ),
        *(
            (
                {"repositoryCredentials": {"credentialsParameter": value}},
                SETTING + "'credentialsParameter' must be the ARN or the name of a Secrets Manager secret.",
            )
            for value in ("", "a b", f"{SECRET}:key::", "arn:aws:ssm:eu-north-1:123456789012:parameter/a")
        ),
        (
            {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": LOG,
                    "secretOptions": [{"name": "token", "valueFrom": "a b"}],
                }
            },
            "The Systems Manager parameter name specified for secret token is invalid. The parameter name can be up to "
            "2048 characters and include the following letters and symbols: a-zA-Z0-9_.-",
        ),
    ],
)
def test_what_can_not_be_fetched_is_refused(members: dict[str, Any], message: str) -> None:
    """One fault, one message."""
    assert refusal(fargate(container(**members), executionRoleArn=ROLE)) == message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            secret("p"),
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        ),
        (
            {"repositoryCredentials": {"credentialsParameter": SECRET}},
            "Private repository authentication requires that the task definition specify a value for executionRoleArn.",
        ),
        (
            {"environmentFiles": [FILE]},
            "When you are specifying environment files, you must also specify a value for 'executionRoleArn'.",
        ),
    ],
)
def test_nothing_is_fetched_without_an_execution_role(members: dict[str, Any], message: str) -> None:
    """Whoever runs it."""
    assert refusal(fargate(container(**members))) == message
    assert refusal(ec2(container(**members))) == message
