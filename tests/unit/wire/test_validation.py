"""What is wrong with a request, in AWS's words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tidegate.api import ec2, ecs, logs, secretsmanager
from tidegate.api.shape import Shape
from tidegate.wire.validation import WireError, explain

BROKEN = "1 validation error detected: Value {} failed to satisfy constraint: {}"


def refusal(service: str, shape: type[Shape], values: Any) -> WireError:
    body = msgspec.json.encode(values)
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=shape)
    return explain(service, caught.value, values, shape)


@pytest.mark.parametrize(
    "values, value_at, constraint",
    [
        ({}, "null at 'logGroupName'", "Member must not be null"),
        ({"logGroupName": None}, "null at 'logGroupName'", "Member must not be null"),
        ({"logGroupName": ""}, "'' at 'logGroupName'", "Member must have length greater than or equal to 1"),
        (
            {"logGroupName": "a" * 513},
            f"'{'a' * 256}' at 'logGroupName'",
            "Member must have length less than or equal to 512",
        ),
        (
            {"logGroupName": "a b"},
            "'a b' at 'logGroupName'",
            r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
        ),
        (
            {"logGroupName": "ab\n"},
            "'ab\n' at 'logGroupName'",
            r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
        ),
        (
            {"logGroupName": "a", "tags": {"": "v"}},
            "'{=v}' at 'tags'",
            "Map keys must satisfy constraint: [Member must have length greater than or equal to 1]",
        ),
        (
            {"logGroupName": "a", "tags": {"k": "v" * 257}},
            f"'{{k={'v' * 253}' at 'tags'",
            "Map value must satisfy constraint: [Member must have length less than or equal to 256]",
        ),
        (
            {"logGroupName": "a", "logGroupClass": "GOLD"},
            "'GOLD' at 'logGroupClass'",
            "Member must satisfy enum value set: [DELIVERY, ESSENTIALS, INFREQUENT_ACCESS, STANDARD]",
        ),
    ],
)
def test_a_constraint_of_the_model(values: Any, value_at: str, constraint: str) -> None:
    """The member, its value and the constraint are named; under the service's error for parameters."""
    error = refusal("logs", logs.CreateLogGroupRequest, values)
    assert error.message == BROKEN.format(value_at, constraint)
    assert (error.code, error.status) == ("InvalidParameterException", 400)


def test_members_of_lists_are_counted_from_one() -> None:
    """As AWS writes paths."""
    events = [{"timestamp": 1, "message": "a"}, {"timestamp": -1, "message": "b"}]
    error = refusal("logs", logs.PutLogEventsRequest, {"logGroupName": "a", "logStreamName": "b", "logEvents": events})
    assert error.message == BROKEN.format(
        "'-1' at 'logEvents.2.member.timestamp'", "Member must have value greater than or equal to 0"
    )


def test_an_integer_has_32_bits_and_a_long_64() -> None:
    """What has more would break whoever reads it back."""
    ecs_error = refusal("ecs", ecs.RunTaskRequest, {"taskDefinition": "a", "count": 2**31})
    assert "Member must have value less than or equal to 2147483647" in ecs_error.message
    request = {"logGroupName": "a", "logStreamName": "b", "logEvents": [{"timestamp": 2**63, "message": "a"}]}
    assert "9223372036854775807" in refusal("logs", logs.PutLogEventsRequest, request).message
    assert msgspec.convert({"taskDefinition": "a", "count": 2**31 - 1}, ecs.RunTaskRequest).count == 2**31 - 1


@pytest.mark.parametrize(
    "shape, values, text",
    [
        (ecs.DescribeTasksRequest, {}, "Tasks cannot be empty."),
        (
            ecs.RunTaskRequest,
            {"taskDefinition": "a", "launchType": "MOON"},
            "launch type should be one of [EC2,FARGATE,EXTERNAL]",
        ),
    ],
)
def test_where_ecs_has_words_of_its_own(shape: type[Shape], values: Any, text: str) -> None:
    """They are said instead."""
    error = refusal("ecs", shape, values)
    assert (error.code, error.message) == ("InvalidParameterException", text)


def test_what_is_wrong_with_a_task_definition_is_a_client_exception() -> None:
    """The rest of ECS says InvalidParameterException."""
    error = refusal(
        "ecs", ecs.RegisterTaskDefinitionRequest, {"family": "a", "containerDefinitions": [], "networkMode": "x"}
    )
    assert error.code == "ClientException"
    assert "enum value set: [awsvpc, bridge, host, none]" in error.message


@pytest.mark.parametrize(
    "values, text",
    [
        ({"taskDefinition": 5}, "NUMBER_VALUE can not be converted to a String at 'taskDefinition'"),
        ({"taskDefinition": "a", "count": "5"}, "STRING_VALUE can not be converted to an Integer at 'count'"),
        ({"taskDefinition": "a", "count": 1.5}, "NUMBER_VALUE can not be converted to an Integer at 'count'"),
        (
            {"taskDefinition": "a", "enableExecuteCommand": "yes"},
            "STRING_VALUE can not be converted to a Boolean at 'enableExecuteCommand'",
        ),
        ({"taskDefinition": ["a"]}, "Start of list found where not expected at 'taskDefinition'"),
        ({"taskDefinition": {}}, "Start of structure or map found where not expected at 'taskDefinition'"),
        ({"taskDefinition": "a", "tags": {}}, "Start of structure or map found where not expected at 'tags'"),
        ({"taskDefinition": "a", "overrides": "x"}, "STRING_VALUE found where not expected at 'overrides'"),
        ([], "Start of list found where not expected at 'body'"),
    ],
)
def test_a_value_of_another_type(values: Any, text: str) -> None:
    """SerializationException, whichever service."""
    error = refusal("ecs", ecs.RunTaskRequest, values)
    assert (error.code, error.message) == ("SerializationException", text)


def test_a_service_without_an_error_for_parameters() -> None:
    """Says ValidationError, as STS does."""
    assert refusal("sts", ec2.CreateSecurityGroupRequest, {}).code == "ValidationError"


@pytest.mark.parametrize(
    "shape, values, text",
    [
        (
            secretsmanager.CreateSecretRequest,
            {"Name": "n", "SecretString": "canary" * 11_000},
            "Value at 'secretString'",
        ),
        (
            secretsmanager.PutSecretValueRequest,
            {"SecretId": "n", "RotationToken": "canary!" * 6},
            "Value at 'rotationToken'",
        ),
    ],
    ids=["length", "pattern"],
)
def test_a_sensitive_value_is_not_repeated(shape: type[Shape], values: Any, text: str) -> None:
    """As on AWS, the message says where it is and not what it is. Members are called as Java calls them."""
    error = refusal("secretsmanager", shape, values)
    assert f"1 validation error detected: {text} failed" in error.message
    assert "canary" not in error.message


def test_bytes_that_are_no_json() -> None:
    """Are said to be that, and no more."""
    error = explain("ecs", UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), None, ecs.RunTaskRequest)
    assert (error.code, error.message) == ("SerializationException", "The request body is not well formed.")
