"""TestMetricFilter, and the lists of filters."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.api import logs

pytestmark = pytest.mark.anyio


async def test_a_pattern_is_tried_on_messages(bench: Any):
    """The messages that match, by their numbers, with the fields that the pattern names."""
    request = logs.TestMetricFilterRequest(
        filter_pattern="[ip, ..., bytes > 100]", log_event_messages=("a b 99", "a b 101", "x y z 5e2")
    )
    answer = await bench.api.test_metric_filter(bench.ctx, request)
    assert [(m.event_number, m.event_message, m.extracted_values) for m in answer.matches] == [
        (2, "a b 101", {"$ip": "a", "$2": "b", "$bytes": "101"}),
        (3, "x y z 5e2", {"$ip": "x", "$2": "y", "$3": "z", "$bytes": "5e2"}),
    ]


async def test_a_malformed_pattern_is_refused(bench: Any):
    """In AWS's words."""
    request = logs.TestMetricFilterRequest(filter_pattern="{ $.a }", log_event_messages=("a",))
    with pytest.raises(logs.InvalidParameterException) as caught:
        await bench.api.test_metric_filter(bench.ctx, request)
    assert caught.value.message == "Invalid filter pattern"


async def test_there_are_no_filters(bench: Any):
    """None can be put, so the lists are empty; a log group that is not there is an error."""
    await bench.make("g")
    metric = await bench.api.describe_metric_filters(bench.ctx, logs.DescribeMetricFiltersRequest(log_group_name="g"))
    everywhere = await bench.api.describe_metric_filters(bench.ctx, logs.DescribeMetricFiltersRequest())
    request = logs.DescribeSubscriptionFiltersRequest(log_group_name="g")
    subscription = await bench.api.describe_subscription_filters(bench.ctx, request)
    assert metric.metric_filters == everywhere.metric_filters == subscription.subscription_filters == ()
    with pytest.raises(logs.ResourceNotFoundException):
        await bench.api.describe_metric_filters(bench.ctx, logs.DescribeMetricFiltersRequest(log_group_name="x"))
    with pytest.raises(logs.ResourceNotFoundException):
        await bench.api.describe_subscription_filters(
            bench.ctx, logs.DescribeSubscriptionFiltersRequest(log_group_name="x")
        )


async def test_tags_by_the_groups_name(bench: Any):
    """The operations of before 2023 see and change the same tags as those of today."""
    await bench.make("g")
    await bench.api.tag_log_group(bench.ctx, logs.TagLogGroupRequest(log_group_name="g", tags={"a": "1", "b": "2"}))
    await bench.api.untag_log_group(bench.ctx, logs.UntagLogGroupRequest(log_group_name="g", tags=("b", "c")))
    old = await bench.api.list_tags_log_group(bench.ctx, logs.ListTagsLogGroupRequest(log_group_name="g"))
    arn = "arn:aws:logs:eu-north-1:000000000000:log-group:g"
    new = await bench.api.list_tags_for_resource(bench.ctx, logs.ListTagsForResourceRequest(resource_arn=arn))
    assert old.tags == new.tags == {"a": "1"}
    many = {f"k{i}": "" for i in range(50)}
    with pytest.raises(logs.InvalidParameterException):
        await bench.api.tag_log_group(bench.ctx, logs.TagLogGroupRequest(log_group_name="g", tags=many))
