"""
Filter patterns as operations know them: read for a search, tried on messages.

There are no metric filters and no subscription filters: PutMetricFilter and PutSubscriptionFilter are not served, so
the lists of them are empty, as they are on AWS until the first one is put.
"""

from __future__ import annotations

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.services.logs.names import get_group
from tidegate.services.logs.patterns.pattern import Pattern, read_pattern
from tidegate.services.logs.patterns.reader import InvalidPattern
from tidegate.store.store import Store


def get_pattern(text: str | None) -> Pattern:
    """The pattern; InvalidParameterException in AWS's words, which say no more than that it is invalid."""
    try:
        return read_pattern(text)
    except InvalidPattern as error:
        raise logs.InvalidParameterException(error.told) from error


class Filters:
    """The operations on filters."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def test_metric_filter(
        self, ctx: Context, request: logs.TestMetricFilterRequest
    ) -> logs.TestMetricFilterResponse:
        """Which of the messages a pattern matches, and the fields in them that it has names for."""
        pattern = get_pattern(request.filter_pattern)
        matches = tuple(
            logs.MetricFilterMatchRecord(
                event_number=number, event_message=message, extracted_values=pattern.extract(message)
            )
            for number, message in enumerate(request.log_event_messages, 1)
            if pattern.matches(message)
        )
        return logs.TestMetricFilterResponse(matches=matches)

    async def describe_metric_filters(
        self, ctx: Context, request: logs.DescribeMetricFiltersRequest
    ) -> logs.DescribeMetricFiltersResponse:
        """None, of a log group that is there."""
        if request.log_group_name is not None:
            get_group(self._store, request.log_group_name)
        return logs.DescribeMetricFiltersResponse(metric_filters=())

    async def describe_subscription_filters(
        self, ctx: Context, request: logs.DescribeSubscriptionFiltersRequest
    ) -> logs.DescribeSubscriptionFiltersResponse:
        """None, of a log group that is there."""
        get_group(self._store, request.log_group_name)
        return logs.DescribeSubscriptionFiltersResponse(subscription_filters=())
