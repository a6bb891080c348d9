"""
What CloudWatch Logs' operations need; see `services.authorization`.

An action on a group is on `log-group:<name>:log-stream:`, as AWS's own refusals have it, which the pattern
`log-group:<name>:*` of the guides covers; those on tags are on the group's plain ARN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.api import logs
from tidegate.model.log import LogGroup
from tidegate.services.authorization import Ask, Row, Table
from tidegate.services.logs.names import group_arn, parse_arn, parse_identifier

_STREAM = ":log-stream:"


def _any_group(ask: Ask, _: Any) -> Iterable[str]:
    return (f"{group_arn(ask.ctx, '')}{_STREAM}",)


def _group(ask: Ask, request: Any) -> Iterable[str]:
    name = getattr(request, "log_group_name", None)
    identifier = getattr(request, "log_group_identifier", None)
    return tuple(
        f"{group_arn(ask.ctx, each)}{_STREAM}"
        for each in (name, parse_identifier(ask.ctx, identifier) if identifier else None)
        if each is not None
    ) or (f"{group_arn(ask.ctx, '*')}{_STREAM}",)


def _stream(ask: Ask, request: Any) -> Iterable[str]:
    return tuple(f"{group}{request.log_stream_name}" for group in _group(ask, request))


def _tailed(ask: Ask, request: logs.StartLiveTailRequest) -> Iterable[str]:
    names = (parse_identifier(ask.ctx, each) for each in request.log_group_identifiers)
    return tuple(f"{group_arn(ask.ctx, name)}{_STREAM}" for name in names)


def _metric_filters(ask: Ask, request: logs.DescribeMetricFiltersRequest) -> Iterable[str]:
    return _group(ask, request) if request.log_group_name else _any_group(ask, request)


def _tagged(ask: Ask, request: Any) -> Iterable[str]:
    return (group_arn(ask.ctx, parse_arn(ask.ctx, request.resource_arn)),)


def _tagged_by_name(ask: Ask, request: Any) -> Iterable[str]:
    return (group_arn(ask.ctx, request.log_group_name),)


def find_tags(ask: Ask, resource: str) -> Mapping[str, str]:
    """Of a log group, by its ARN or that of one of its streams."""
    found = ask.store.get(LogGroup, resource.split(":")[6])
    return found.tags if found is not None else {}


_ON_GROUP = Row(_group)
_ON_STREAM = Row(_stream)

TABLE = Table(
    "logs",
    {
        "CreateLogGroup": _ON_GROUP,
        "DeleteLogGroup": _ON_GROUP,
        "DescribeLogGroups": Row(_any_group),
        "CreateLogStream": _ON_STREAM,
        "DeleteLogStream": _ON_STREAM,
        "DescribeLogStreams": _ON_GROUP,
        "PutLogEvents": _ON_STREAM,
        "GetLogEvents": _ON_STREAM,
        "FilterLogEvents": _ON_GROUP,
        "StartLiveTail": Row(_tailed),
        "PutRetentionPolicy": _ON_GROUP,
        "DeleteRetentionPolicy": _ON_GROUP,
        "TagResource": Row(_tagged),
        "UntagResource": Row(_tagged),
        "ListTagsForResource": Row(_tagged),
        "TagLogGroup": Row(_tagged_by_name),
        "UntagLogGroup": Row(_tagged_by_name),
        "ListTagsLogGroup": Row(_tagged_by_name),
        "TestMetricFilter": Row(),
        "DescribeMetricFilters": Row(_metric_filters),
        "DescribeSubscriptionFilters": _ON_GROUP,
    },
    find_tags,
)
