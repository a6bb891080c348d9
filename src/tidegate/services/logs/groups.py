"""Log groups: made, listed, deleted, and how long their events are kept."""

from __future__ import annotations

import msgspec
from anyio import to_thread

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.model.log import LogGroup, LogStream
from tidegate.services.logs.names import check_group_name, get_group, group_arn, parse_identifier
from tidegate.services.logs.tags import MAX_TAGS, check_tags
from tidegate.services.logs.writes import settle
from tidegate.services.pages import BadToken, page
from tidegate.services.writes import Clock
from tidegate.store.logs.event_log import EventLog
from tidegate.store.store import Delete, Put, Store

PAGE_SIZE = 50
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
BAD_TOKEN = "The specified nextToken is invalid."  # noqa: S105 (a text, not a secret)
_EXISTS = "The specified log group already exists"


class LogGroups:
    """The operations on log groups."""

    def __init__(self, store: Store, events: EventLog, now: Clock) -> None:
        self._store = store
        self._events = events
        self._now = now

    async def create_log_group(self, ctx: Context, request: logs.CreateLogGroupRequest) -> None:
        """Make a log group; ResourceAlreadyExistsException if there is one of this name."""
        tags = check_tags(request.tags)
        if len(tags) > MAX_TAGS:
            raise logs.InvalidParameterException(f"A resource can have at most {MAX_TAGS} tags.")
        group = LogGroup(
            name=check_group_name(request.log_group_name),
            created_at_ms=int(self._now() * 1000),
            kms_key=request.kms_key_id,
            group_class=request.log_group_class or "STANDARD",
            is_protected=bool(request.deletion_protection_enabled),
            tags=tags,
        )

        async def attempt() -> None:
            if self._store.get(LogGroup, group.name) is not None:
                await self._store.commit()  # whoever made it may still wait for the disk
                raise logs.ResourceAlreadyExistsException(_EXISTS)
            await self._store.commit(Put(group))

        await settle(attempt)

    async def delete_log_group(self, ctx: Context, request: logs.DeleteLogGroupRequest) -> None:
        """Delete a log group with its streams and their events."""

        async def attempt() -> list[LogStream]:
            group = get_group(self._store, request.log_group_name)
            if group.is_protected:
                raise logs.ValidationException(f"Deletion protection is enabled on log group {group.name}.")
            streams = list(self._store.select(LogStream, "group", group.name))
            await self._store.commit(Delete(group), *(Delete(stream) for stream in streams))
            return streams

        for stream in await settle(attempt):
            await to_thread.run_sync(self._events.remove, stream.id)

    async def describe_log_groups(
        self, ctx: Context, request: logs.DescribeLogGroupsRequest
    ) -> logs.DescribeLogGroupsResponse:
        """A page of log groups by name, with what is stored of each."""
        wanted = _wanted(ctx, request, list(self._store.select(LogGroup)))
        try:
            groups, token = page(
                wanted,
                lambda group: group.name,
                operation="DescribeLogGroups",
                token=request.next_token,
                size=request.limit or PAGE_SIZE,
            )
        except BadToken:
            raise logs.InvalidParameterException(BAD_TOKEN) from None
        members = [[stream.id for stream in self._store.select(LogStream, "group", group.name)] for group in groups]
        sizes = await to_thread.run_sync(lambda: [self._stored_bytes(streams) for streams in members])
        shown = tuple(_describe(ctx, group, size) for group, size in zip(groups, sizes, strict=True))
        return logs.DescribeLogGroupsResponse(log_groups=shown, next_token=token)

    async def put_retention_policy(self, ctx: Context, request: logs.PutRetentionPolicyRequest) -> None:
        """Let events expire after some days; only certain numbers are allowed."""
        if request.retention_in_days not in RETENTION_DAYS:
            allowed = ", ".join(str(days) for days in RETENTION_DAYS)
            raise logs.InvalidParameterException(
                f"1 validation error detected: Value '{request.retention_in_days}' at 'retentionInDays' failed to"
                f" satisfy constraint: Member must satisfy enum value set: [{allowed}]"
            )
        await self._set_retention(request.log_group_name, request.retention_in_days)

    async def delete_retention_policy(self, ctx: Context, request: logs.DeleteRetentionPolicyRequest) -> None:
        """Let events never expire."""
        await self._set_retention(request.log_group_name, None)

    async def _set_retention(self, name: str, days: int | None) -> None:
        async def attempt() -> None:
            group = get_group(self._store, name)
            await self._store.commit(Put(msgspec.structs.replace(group, retention_days=days)))

        await settle(attempt)

    def _stored_bytes(self, streams: list[str]) -> int:
        return sum(self._events.summary(stream).stored_bytes for stream in streams)


def _describe(ctx: Context, group: LogGroup, stored_bytes: int) -> logs.LogGroup:
    arn = group_arn(ctx, group.name)
    return logs.LogGroup(
        log_group_name=group.name,
        creation_time=group.created_at_ms,
        retention_in_days=group.retention_days,
        metric_filter_count=0,
        arn=f"{arn}:*",
        log_group_arn=arn,
        stored_bytes=stored_bytes,
        kms_key_id=group.kms_key,
        log_group_class=group.group_class,  # type: ignore[arg-type]  # as it came, from the same set
        deletion_protection_enabled=group.is_protected,
    )


def _wanted(ctx: Context, request: logs.DescribeLogGroupsRequest, groups: list[LogGroup]) -> list[LogGroup]:
    prefix, part, names = request.log_group_name_prefix, request.log_group_name_pattern, request.log_group_identifiers
    if prefix is not None and part is not None:
        raise logs.InvalidParameterException("LogGroup name prefix and LogGroup name pattern are mutually exclusive")
    if names is not None and (prefix or part or request.log_group_class):
        raise logs.InvalidParameterException("logGroupIdentifiers cannot be combined with other filters.")
    if request.account_identifiers and set(request.account_identifiers) != {ctx.account}:
        return []
    named = None if names is None else {parse_identifier(ctx, name) for name in names}
    return [
        group
        for group in groups
        if group.name.startswith(prefix or "")
        and (part or "") in group.name
        and (named is None or group.name in named)
        and request.log_group_class in (None, group.group_class)
    ]
