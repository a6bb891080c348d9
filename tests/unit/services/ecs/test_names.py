"""ARNs are built as AWS writes them, and every form that the API accepts is read back."""

from __future__ import annotations

import pytest

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.arn import partition as partition_of
from tidegate.services.ecs import names

CTX = Context(account="123456789012", region="eu-north-1", request_id="r", principal="arn:aws:iam::123456789012:root")
ID = "0123456789abcdef0123456789abcdef"
SEPARATORS = "Invalid identifier: Unexpected number of separators"


def test_arns_are_the_long_form() -> None:
    """Each resource's ARN has the form of the API reference."""
    start = "arn:aws:ecs:eu-north-1:123456789012:"
    assert names.cluster_arn(CTX, "c") == start + "cluster/c"
    assert names.task_definition_arn(CTX, "f", 3) == start + "task-definition/f:3"
    assert names.task_arn(CTX, "c", ID) == start + f"task/c/{ID}"
    assert names.container_arn(CTX, "c", ID, "u") == start + f"container/c/{ID}/u"
    assert names.container_instance_arn(CTX, "c", ID) == start + f"container-instance/c/{ID}"


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-north-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_partition_goes_by_region(region: str, partition: str) -> None:
    """China and GovCloud have partitions of their own."""
    assert partition_of(region) == partition


def test_what_is_built_is_read_back() -> None:
    """Parsing an ARN gives what it was built from."""
    assert names.parse_cluster(names.cluster_arn(CTX, "c"), CTX) == "c"
    assert names.parse_task(names.task_arn(CTX, "c", ID), CTX) == ("c", ID)
    assert names.parse_task_definition(names.task_definition_arn(CTX, "f", 3), CTX) == ("f", 3)


def test_short_forms_are_read() -> None:
    """Names and ids do as well as ARNs; no cluster means the default one."""
    assert names.parse_cluster(None) == names.parse_cluster("") == "default"
    assert names.parse_cluster("c") == "c"
    assert names.parse_task(ID) == (None, ID)
    assert names.parse_task(f"c/{ID}") == ("c", ID)
    assert names.parse_task(f"arn:aws:ecs:eu-north-1:123456789012:task/{ID}") == (None, ID)
    assert names.parse_task_definition("f") == ("f", None)
    assert names.parse_task_definition("f:12") == ("f", 12)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("short", "taskId length should be one of [32,36]"),
        (ID.upper(), "taskId length should be one of [32,36]"),
        (f"a/b/{ID}", SEPARATORS),
        ("", SEPARATORS),
        ("arn:aws:ecs:eu-north-1", SEPARATORS),
        ("arn:aws:ecs:eu-north-1:123456789012:task", SEPARATORS),
        (
            "arn:aws:ecs:eu-north-1:123456789012:cluster/c",
            "Invalid identifier: arn:aws:ecs:eu-north-1:123456789012:cluster/c is not the ARN of a task",
        ),
        ("a" * 3000, "Invalid identifier: longer than 2048 characters"),
    ],
)
def test_malformed_task_is_refused(identifier: str, message: str) -> None:
    """What can't be a task's id or ARN is told apart from one that is unknown."""
    with pytest.raises(ecs.InvalidParameterException) as caught:
        names.parse_task(identifier)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("f:x", "Invalid revision number. Number: x"),
        ("f:", "Invalid revision number. Number: "),
        ("f:-1", "Invalid revision number. Number: -1"),
        ("f:٣", "Invalid revision number. Number: ٣"),
        ("f:9999999999", "Invalid revision number. Number: 9999999999"),
        ("f:1:2", SEPARATORS),
        (":1", SEPARATORS),
        ("a/b:1", SEPARATORS),
    ],
)
def test_malformed_task_definition_is_refused(identifier: str, message: str) -> None:
    """A revision is a decimal number of plain digits."""
    with pytest.raises(ecs.InvalidParameterException) as caught:
        names.parse_task_definition(identifier)
    assert caught.value.message == message


@pytest.mark.parametrize("identifier", ["a/b", "arn:aws:ecs:eu-north-1:123456789012:cluster/a/b"])
def test_malformed_cluster_is_refused(identifier: str) -> None:
    """A cluster's name has no slash."""
    with pytest.raises(ecs.InvalidParameterException) as caught:
        names.parse_cluster(identifier)
    assert caught.value.message == SEPARATORS


def test_another_accounts_arn_is_refused() -> None:
    """An ARN of another account or region never means a resource of ours."""
    for arn in ("arn:aws:ecs:eu-north-1:999999999999:cluster/c", "arn:aws:ecs:us-east-1:123456789012:cluster/c"):
        assert names.parse_cluster(arn) == "c"
        with pytest.raises(ecs.InvalidParameterException, match="Identifier is for account"):
            names.parse_cluster(arn, CTX)
