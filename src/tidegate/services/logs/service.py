"""CloudWatch Logs: every operation, put together from the modules that know one resource each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from tidegate.api import logs
from tidegate.services.logs.filters import Filters
from tidegate.services.logs.groups import LogGroups
from tidegate.services.logs.live_tail import LiveTail
from tidegate.services.logs.put import PutEvents
from tidegate.services.logs.read import ReadEvents
from tidegate.services.logs.streams import LogStreams
from tidegate.services.logs.tags import ResourceTags
from tidegate.services.writes import Clock
from tidegate.store.logs.event_log import EventLog
from tidegate.store.store import Store, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class Logs:
    """
    Satisfies the generated `api.logs.Api`: each operation is the bound method of the resource it is about.

    events: the files of the log store. now: seconds since the epoch. What the disk refuses is answered with
    ServiceUnavailableException.
    """

    def __init__(self, store: Store, events: EventLog, now: Clock) -> None:
        groups = LogGroups(store, events, now)
        self.create_log_group = groups.create_log_group
        self.delete_log_group = _answered(groups.delete_log_group)
        self.describe_log_groups = _answered(groups.describe_log_groups)
        self.put_retention_policy = groups.put_retention_policy
        self.delete_retention_policy = groups.delete_retention_policy

        streams = LogStreams(store, events, now)
        self.create_log_stream = streams.create_log_stream
        self.delete_log_stream = _answered(streams.delete_log_stream)
        self.describe_log_streams = _answered(streams.describe_log_streams)

        self.put_log_events = _answered(PutEvents(store, events, now).put_log_events)
        reader = ReadEvents(store, events, now)
        self.get_log_events = _answered(reader.get_log_events)
        self.filter_log_events = _answered(reader.filter_log_events)

        self.start_live_tail = LiveTail(store, events).start_live_tail

        tags = ResourceTags(store)
        self.tag_resource = tags.tag_resource
        self.untag_resource = tags.untag_resource
        self.list_tags_for_resource = tags.list_tags_for_resource
        self.tag_log_group = tags.tag_log_group
        self.untag_log_group = tags.untag_log_group
        self.list_tags_log_group = tags.list_tags_log_group

        filters = Filters(store)
        self.test_metric_filter = filters.test_metric_filter
        self.describe_metric_filters = filters.describe_metric_filters
        self.describe_subscription_filters = filters.describe_subscription_filters


def _answered(operation: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The operation, with errors of the disk as the service's own."""

    async def answered(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await operation(*args, **kwargs)
        except (OSError, StoreUnavailable) as error:
            raise logs.ServiceUnavailableException(str(error)) from error

    return answered
