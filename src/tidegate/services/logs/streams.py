"""Log streams: made, listed, deleted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from anyio import to_thread

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.model.log import LogStream, stream_key
from tidegate.services.logs.groups import BAD_TOKEN, PAGE_SIZE
from tidegate.services.logs.names import check_stream_name, get_group, get_stream, group_of, stream_arn
from tidegate.services.logs.writes import settle
from tidegate.services.pages import BadToken, page
from tidegate.services.writes import Clock
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.stream import Summary
from tidegate.store.store import Delete, Put, Store

SEQUENCE_TOKEN = "49039859627096146478411180430577137471432041154427486081"  # noqa: S105 (no secret)
"""What stands for the sequence tokens, which are neither needed nor looked at since 2023."""


class LogStreams:
    """The operations on log streams."""

    def __init__(self, store: Store, events: EventLog, now: Clock) -> None:
        self._store = store
        self._events = events
        self._now = now

    async def create_log_stream(self, ctx: Context, request: logs.CreateLogStreamRequest) -> None:
        """Make a log stream; ResourceAlreadyExistsException if the group has one of this name."""
        name = check_stream_name(request.log_stream_name)

        async def attempt() -> None:
            group = get_group(self._store, request.log_group_name)
            if self._store.get(LogStream, stream_key(group.name, name)) is not None:
                await self._store.commit()  # whoever made it may still wait for the disk
                raise logs.ResourceAlreadyExistsException("The specified log stream already exists")
            created_at_ms = int(self._now() * 1000)
            stream = LogStream(group=group.name, name=name, id=uuid.uuid4().hex, created_at_ms=created_at_ms)
            await self._store.commit(Put(stream))

        await settle(attempt)

    async def delete_log_stream(self, ctx: Context, request: logs.DeleteLogStreamRequest) -> None:
        """Delete a log stream and its events."""

        async def attempt() -> str:
            stream = get_stream(self._store, request.log_group_name, request.log_stream_name)
            await self._store.commit(Delete(stream))
            return stream.id

        await to_thread.run_sync(self._events.remove, await settle(attempt))

    async def describe_log_streams(
        self, ctx: Context, request: logs.DescribeLogStreamsRequest
    ) -> logs.DescribeLogStreamsResponse:
        """A page of a group's streams, by name or by the time of their last event."""
        group = group_of(self._store, ctx, request.log_group_name, request.log_group_identifier)
        is_by_time = request.order_by == "LastEventTime"
        if is_by_time and request.log_stream_name_prefix is not None:
            raise logs.InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
        prefix = request.log_stream_name_prefix or ""
        streams = [s for s in self._store.select(LogStream, "group", group.name) if s.name.startswith(prefix)]
        order = f"{group.name}/{request.order_by}/{request.descending}"
        summaries = await self._summaries(streams) if is_by_time else {}
        try:
            shown, token = page(
                streams,
                (lambda stream: _time_key(stream, summaries[stream.id])) if is_by_time else lambda stream: stream.name,
                operation=f"DescribeLogStreams/{order}",
                token=request.next_token,
                size=request.limit or PAGE_SIZE,
                is_descending=bool(request.descending),
            )
        except BadToken:
            raise logs.InvalidParameterException(BAD_TOKEN) from None
        summaries = summaries or await self._summaries(shown)
        described = tuple(_describe(ctx, stream, summaries[stream.id]) for stream in shown)
        return logs.DescribeLogStreamsResponse(log_streams=described, next_token=token)

    async def _summaries(self, streams: Sequence[LogStream]) -> dict[str, Summary]:
        """By id; in a thread, as each may have to be read from the disk."""
        return await to_thread.run_sync(lambda: {stream.id: self._events.summary(stream.id) for stream in streams})


def _time_key(stream: LogStream, summary: Summary) -> str:
    """Sorts like the time of the last event (streams without any first), then the name."""
    return f"{-1 if summary.last_ms is None else summary.last_ms:016d}/{stream.name}"


def _describe(ctx: Context, stream: LogStream, summary: Summary) -> logs.LogStream:
    return logs.LogStream(
        log_stream_name=stream.name,
        creation_time=stream.created_at_ms,
        first_event_timestamp=summary.first_ms,
        last_event_timestamp=summary.last_ms,
        last_ingestion_time=summary.last_ingestion_ms,
        upload_sequence_token=SEQUENCE_TOKEN if summary.last_ms is not None else None,
        arn=stream_arn(ctx, stream),
        stored_bytes=0,  # AWS: always 0 since 2019
    )
