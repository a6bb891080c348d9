"""
Log groups and streams by what requests call them: names, ARNs with and without `:*`, identifiers.

Texts are AWS's where one is known. Sources: API reference (CreateLogGroup, CreateLogStream, GetLogEvents).
"""

from __future__ import annotations

import re

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.model.arn import partition
from tidegate.model.log import LogGroup, LogStream, stream_key
from tidegate.store.store import Store

_GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_STREAM_NAME = re.compile(r"[^:*]{1,512}", re.DOTALL)
NO_GROUP = "The specified log group does not exist."
NO_STREAM = "The specified log stream does not exist."


def group_arn(ctx: Context, name: str) -> str:
    """arn:aws:logs:<region>:<account>:log-group:<name>, without `:*`."""
    return f"arn:{partition(ctx.region)}:logs:{ctx.region}:{ctx.account}:log-group:{name}"


def stream_arn(ctx: Context, stream: LogStream) -> str:
    """<the group's ARN>:log-stream:<name>."""
    return f"{group_arn(ctx, stream.group)}:log-stream:{stream.name}"


def check_group_name(name: str) -> str:
    """The name, if a log group can be called so; else InvalidParameterException."""
    if not _GROUP_NAME.fullmatch(name):
        raise _malformed(name, "logGroupName", r"[\.\-_/#A-Za-z0-9]+")
    if name.startswith("aws/"):
        raise logs.InvalidParameterException("Log groups starting with AWS/ are reserved for AWS.")
    return name


def check_stream_name(name: str) -> str:
    """The name, if a log stream can be called so; else InvalidParameterException."""
    if not _STREAM_NAME.fullmatch(name):
        raise _malformed(name, "logStreamName", "[^:*]*")
    return name


def get_group(store: Store, name: str) -> LogGroup:
    """The log group, or ResourceNotFoundException."""
    group = store.get(LogGroup, name)
    if group is None:
        raise logs.ResourceNotFoundException(NO_GROUP)
    return group


def get_stream(store: Store, group: str, name: str) -> LogStream:
    """The log stream of a group, or ResourceNotFoundException for whichever is missing."""
    get_group(store, group)
    stream = store.get(LogStream, stream_key(group, name))
    if stream is None:
        raise logs.ResourceNotFoundException(NO_STREAM)
    return stream


def group_of(store: Store, ctx: Context, name: str | None, identifier: str | None) -> LogGroup:
    """The log group that a request names by exactly one of name and identifier (name or ARN)."""
    if name is not None and identifier is not None:
        raise logs.InvalidParameterException("LogGroupName and LogGroupIdentifier cannot both be specified.")
    if name is not None:
        return get_group(store, name)
    if identifier is None:
        raise logs.InvalidParameterException("Either logGroupName or logGroupIdentifier must be specified.")
    return get_group(store, parse_identifier(ctx, identifier))


def parse_identifier(ctx: Context, identifier: str) -> str:
    """The name of the log group that a name or an ARN, with `:*` or without, stands for."""
    return parse_arn(ctx, identifier) if identifier.startswith("arn:") else identifier


def parse_arn(ctx: Context, arn: str) -> str:
    """The name in a log group's ARN; another account's or region's groups do not exist here."""
    parts = arn.split(":")
    if len(parts) == 8 and parts[7] == "*":
        del parts[7]
    if len(parts) != 7 or parts[0] != "arn" or parts[2] != "logs" or parts[5] != "log-group":
        raise logs.InvalidParameterException(f"Invalid ARN: {arn[:200]}")
    if parts[3:5] != [ctx.region, ctx.account]:
        raise logs.ResourceNotFoundException(NO_GROUP)
    return parts[6]


def _malformed(value: str, member: str, pattern: str) -> logs.InvalidParameterException:
    return logs.InvalidParameterException(
        f"1 validation error detected: Value '{value[:200]}' at '{member}' failed to satisfy constraint:"
        f" Member must satisfy regular expression pattern: {pattern}"
    )
