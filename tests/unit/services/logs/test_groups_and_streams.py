"""Log groups and streams: AWS's rules and texts."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.api import logs
from tidegate.store.memory import MemoryStore

pytestmark = pytest.mark.anyio
ARN = "arn:aws:logs:eu-north-1:000000000000:log-group:g"


async def names(bench: Any, **filters: Any) -> list[str]:
    answer = await bench.api.describe_log_groups(bench.ctx, logs.DescribeLogGroupsRequest(**filters))
    return [group.log_group_name for group in answer.log_groups]


async def streams(bench: Any, **filters: Any) -> list[str]:
    request = logs.DescribeLogStreamsRequest(**({"log_group_name": "g"} | filters))
    return [stream.log_stream_name for stream in (await bench.api.describe_log_streams(bench.ctx, request)).log_streams]


async def test_a_group_is_described_as_it_was_made(bench: Any) -> None:
    """All members come back, the ARN in both forms; what AWS alone can do is kept as given."""
    await bench.api.create_log_group(
        bench.ctx,
        logs.CreateLogGroupRequest(
            log_group_name="g",
            kms_key_id="arn:aws:kms:x",
            log_group_class="INFREQUENT_ACCESS",
            tags={"a": "b"},
        ),
    )
    answer = await bench.api.describe_log_groups(bench.ctx, logs.DescribeLogGroupsRequest())
    assert answer.log_groups == (
        logs.LogGroup(
            log_group_name="g",
            creation_time=bench.now_ms,
            metric_filter_count=0,
            arn=f"{ARN}:*",
            log_group_arn=ARN,
            stored_bytes=0,
            kms_key_id="arn:aws:kms:x",
            log_group_class="INFREQUENT_ACCESS",
            deletion_protection_enabled=False,
        ),
    )


async def test_a_group_is_made_once(bench: Any) -> None:
    """The second of the same name is refused with AWS's text."""
    await bench.make("g")
    with pytest.raises(logs.ResourceAlreadyExistsException) as error:
        await bench.make("g")
    assert error.value.message == "The specified log group already exists"


@pytest.mark.parametrize("name", ["with space", "a:b", "a*", "ä", "aws/x", "x\n"])
async def test_malformed_group_names_are_refused(bench: Any, name: str) -> None:
    """Only AWS's characters, and not AWS's own prefix."""
    with pytest.raises(logs.InvalidParameterException):
        await bench.make(name)


async def test_groups_are_listed_by_name_in_pages(bench: Any) -> None:
    """ASCII order; prefix and pattern (a part, case-sensitive) choose; they exclude each other."""
    for name in ("b", "/ecs/web", "/ecs/Api", "a"):
        await bench.make(name)
    assert await names(bench) == ["/ecs/Api", "/ecs/web", "a", "b"]
    assert await names(bench, log_group_name_prefix="/ecs/") == ["/ecs/Api", "/ecs/web"]
    assert await names(bench, log_group_name_pattern="Api") == ["/ecs/Api"]
    assert await names(bench, log_group_name_pattern="api") == []
    arn = ARN.replace(":g", ":a")
    assert await names(bench, log_group_identifiers=("b", arn, f"{arn}:*")) == ["a", "b"]
    with pytest.raises(logs.InvalidParameterException, match="mutually exclusive"):
        await names(bench, log_group_name_prefix="x", log_group_name_pattern="x")
    token, seen = None, []
    for _ in range(2):
        request = logs.DescribeLogGroupsRequest(limit=2, next_token=token)
        answer = await bench.api.describe_log_groups(bench.ctx, request)
        seen += [group.log_group_name for group in answer.log_groups]
        token = answer.next_token
    assert (seen, token) == (["/ecs/Api", "/ecs/web", "a", "b"], None)
    with pytest.raises(logs.InvalidParameterException, match="The specified nextToken is invalid"):
        await names(bench, next_token="what")


async def test_deleting_a_group_takes_streams_and_events(bench: Any) -> None:
    """Nothing is left, and a group made anew starts empty; a protected or missing group is refused."""
    await bench.make("g", "s", "t")
    await bench.put((0, "x"))
    await bench.api.delete_log_group(bench.ctx, logs.DeleteLogGroupRequest(log_group_name="g"))
    assert await names(bench) == []
    await bench.make("g", "s")
    answer = await bench.api.get_log_events(
        bench.ctx, logs.GetLogEventsRequest(log_group_name="g", log_stream_name="s")
    )
    assert answer.events == ()
    assert await streams(bench) == ["s"]
    with pytest.raises(logs.ResourceNotFoundException) as error:
        await bench.api.delete_log_group(bench.ctx, logs.DeleteLogGroupRequest(log_group_name="none"))
    assert error.value.message == "The specified log group does not exist."
    protected = logs.CreateLogGroupRequest(log_group_name="p", deletion_protection_enabled=True)
    await bench.api.create_log_group(bench.ctx, protected)
    with pytest.raises(logs.ValidationException):
        await bench.api.delete_log_group(bench.ctx, logs.DeleteLogGroupRequest(log_group_name="p"))


async def test_retention_takes_aws_numbers_only(bench: Any) -> None:
    """A policy is shown, replaced and removed; other numbers of days are refused."""
    await bench.make("g")
    for days in (1, 3653):
        request = logs.PutRetentionPolicyRequest(log_group_name="g", retention_in_days=days)
        await bench.api.put_retention_policy(bench.ctx, request)
        (group,) = (await bench.api.describe_log_groups(bench.ctx, logs.DescribeLogGroupsRequest())).log_groups
        assert group.retention_in_days == days
    for days in (0, 2, 4000, -1):
        with pytest.raises(logs.InvalidParameterException, match="retentionInDays"):
            await bench.api.put_retention_policy(
                bench.ctx, logs.PutRetentionPolicyRequest(log_group_name="g", retention_in_days=days)
            )
    await bench.api.delete_retention_policy(bench.ctx, logs.DeleteRetentionPolicyRequest(log_group_name="g"))
    (group,) = (await bench.api.describe_log_groups(bench.ctx, logs.DescribeLogGroupsRequest())).log_groups
    assert group.retention_in_days is None


async def test_streams_are_made_once_in_a_group_that_exists(bench: Any) -> None:
    """AWS's texts for a missing group and a second stream; no colon and no star in a name."""
    with pytest.raises(logs.ResourceNotFoundException):
        await bench.api.create_log_stream(
            bench.ctx, logs.CreateLogStreamRequest(log_group_name="g", log_stream_name="s")
        )
    await bench.make("g", "s")
    for name, error, text in [
        ("s", logs.ResourceAlreadyExistsException, "The specified log stream already exists"),
        ("a:b", logs.InvalidParameterException, "logStreamName"),
        ("a*", logs.InvalidParameterException, "logStreamName"),
    ]:
        request = logs.CreateLogStreamRequest(log_group_name="g", log_stream_name=name)
        with pytest.raises(error, match=text):
            await bench.api.create_log_stream(bench.ctx, request)
    assert await streams(bench) == ["s"]


async def test_a_stream_is_described_with_its_events_times(bench: Any) -> None:
    """Times are those of the events; storedBytes is 0 as on AWS; without events there are no times."""
    await bench.make("g", "s")
    request = logs.DescribeLogStreamsRequest(log_group_identifier=f"{ARN}:*")
    (stream,) = (await bench.api.describe_log_streams(bench.ctx, request)).log_streams
    assert (stream.first_event_timestamp, stream.last_event_timestamp, stream.last_ingestion_time) == (None,) * 3
    await bench.put((-5, "a"), (7, "b"))
    (stream,) = (await bench.api.describe_log_streams(bench.ctx, request)).log_streams
    assert stream.first_event_timestamp == bench.now_ms - 5
    assert stream.last_event_timestamp == bench.now_ms + 7
    assert stream.last_ingestion_time == stream.creation_time == bench.now_ms
    assert stream.arn == f"{ARN}:log-stream:s"
    assert stream.stored_bytes == 0
    (group,) = (await bench.api.describe_log_groups(bench.ctx, logs.DescribeLogGroupsRequest())).log_groups
    assert group.stored_bytes > 2


async def test_streams_are_ordered_by_name_or_time(bench: Any) -> None:
    """Both orders, both directions, in pages; a prefix goes with names only."""
    await bench.make("g", "b", "a", "c", "other")
    await bench.put((1, "x"), stream="c")
    await bench.put((9, "x"), stream="a")
    assert await streams(bench) == ["a", "b", "c", "other"]
    assert await streams(bench, descending=True) == ["other", "c", "b", "a"]
    assert await streams(bench, log_stream_name_prefix="o") == ["other"]
    assert await streams(bench, order_by="LastEventTime") == ["b", "other", "c", "a"]
    assert await streams(bench, order_by="LastEventTime", descending=True, limit=2) == ["a", "c"]
    with pytest.raises(logs.InvalidParameterException, match="Cannot order by LastEventTime with a logStreamName"):
        await streams(bench, order_by="LastEventTime", log_stream_name_prefix="o")
    token, seen = None, []
    for _ in range(4):
        request = logs.DescribeLogStreamsRequest(
            log_group_name="g", order_by="LastEventTime", descending=True, limit=1, next_token=token
        )
        answer = await bench.api.describe_log_streams(bench.ctx, request)
        seen += [stream.log_stream_name for stream in answer.log_streams]
        token = answer.next_token
    assert (seen, token) == (["a", "c", "other", "b"], None)


async def test_a_deleted_stream_takes_its_events(bench: Any) -> None:
    """Made again it is empty; deleting what is missing is refused."""
    await bench.make("g", "s")
    await bench.put((0, "x"))
    request = logs.DeleteLogStreamRequest(log_group_name="g", log_stream_name="s")
    await bench.api.delete_log_stream(bench.ctx, request)
    with pytest.raises(logs.ResourceNotFoundException, match="The specified log stream does not exist"):
        await bench.api.delete_log_stream(bench.ctx, request)
    await bench.api.create_log_stream(bench.ctx, logs.CreateLogStreamRequest(log_group_name="g", log_stream_name="s"))
    answer = await bench.api.get_log_events(
        bench.ctx, logs.GetLogEventsRequest(log_group_name="g", log_stream_name="s")
    )
    assert answer.events == ()


async def test_group_and_identifier_exclude_each_other(bench: Any) -> None:
    """Exactly one names the group; an ARN of another account or region names none of ours."""
    await bench.make("g", "s")
    for filters in ({"log_group_name": "g", "log_group_identifier": "g"}, {"log_group_name": None}):
        with pytest.raises(logs.InvalidParameterException):
            await streams(bench, **filters)
    for identifier in ("g", ARN, f"{ARN}:*"):
        assert await streams(bench, log_group_name=None, log_group_identifier=identifier) == ["s"]
    for identifier in (ARN.replace("0000", "1111"), ARN.replace("eu-north-1", "eu-west-1"), f"{ARN}x"):
        with pytest.raises(logs.ResourceNotFoundException):
            await streams(bench, log_group_name=None, log_group_identifier=identifier)
    with pytest.raises(logs.InvalidParameterException, match="Invalid ARN"):
        await streams(bench, log_group_name=None, log_group_identifier="arn:aws:s3:::bucket")


@pytest.mark.parametrize("arn", [ARN, f"{ARN}:*"])
async def test_tags_are_added_replaced_and_removed(bench: Any, arn: str) -> None:
    """Tags of a group by its ARN in both forms, those it was made with included."""
    await bench.api.create_log_group(bench.ctx, logs.CreateLogGroupRequest(log_group_name="g", tags={"a": "1"}))
    await bench.api.tag_resource(bench.ctx, logs.TagResourceRequest(resource_arn=arn, tags={"a": "2", "b": "3"}))
    await bench.api.untag_resource(bench.ctx, logs.UntagResourceRequest(resource_arn=arn, tag_keys=("b", "none")))
    answer = await bench.api.list_tags_for_resource(bench.ctx, logs.ListTagsForResourceRequest(resource_arn=arn))
    assert answer.tags == {"a": "2"}


async def test_tags_have_limits(bench: Any) -> None:
    """Fifty at most, none of AWS's own prefix, none on what is not there."""
    await bench.make("g")
    many = {f"k{number}": "" for number in range(51)}
    with pytest.raises(logs.TooManyTagsException):
        await bench.api.tag_resource(bench.ctx, logs.TagResourceRequest(resource_arn=ARN, tags=many))
    with pytest.raises(logs.InvalidParameterException, match="aws: prefixed"):
        await bench.api.tag_resource(bench.ctx, logs.TagResourceRequest(resource_arn=ARN, tags={"aws:x": ""}))
    with pytest.raises(logs.ResourceNotFoundException):
        await bench.api.list_tags_for_resource(
            bench.ctx, logs.ListTagsForResourceRequest(resource_arn=ARN.replace(":g", ":none"))
        )


async def test_a_store_that_cannot_write_is_answered(bench: Any) -> None:
    """A full disk is ServiceUnavailableException, and nothing of the request is kept."""
    store: MemoryStore = bench.store
    store.failure = "no space left"
    with pytest.raises(logs.ServiceUnavailableException, match="no space left"):
        await bench.make("g")
    store.failure = None
    assert await names(bench) == []
