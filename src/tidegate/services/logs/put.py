"""PutLogEvents: which batches are accepted, and which of their events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from anyio import to_thread

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.services.logs.names import get_group, get_stream
from tidegate.services.logs.streams import SEQUENCE_TOKEN
from tidegate.services.writes import Clock
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.stream import Batch
from tidegate.store.store import Store

EVENT_OVERHEAD_BYTES = 26
BATCH_BYTES = 1_048_576
"""Of the messages in UTF-8, with the overhead of each event."""
_HOUR_MS = 3_600_000
DAY_MS = 24 * _HOUR_MS
_FUTURE_MS = 2 * _HOUR_MS
_PAST_MS = 14 * DAY_MS


class Verdict(NamedTuple):
    """Events [expired_end or too_old_end : too_new_start] are accepted; None: no event is rejected for this."""

    too_old_end: int | None
    expired_end: int | None
    too_new_start: int | None

    @property
    def accepted(self) -> slice:
        """The part of the batch that is stored."""
        return slice(max(self.too_old_end or 0, self.expired_end or 0), self.too_new_start)

    @property
    def is_clean(self) -> bool:
        """Nothing is rejected."""
        return self == (None, None, None)


def event_bytes(message: str) -> int:
    """What an event counts for in a batch or a page."""
    size = len(message) if message.isascii() else len(message.encode("utf-8", "replace"))
    return size + EVENT_OVERHEAD_BYTES


def judge(timestamps: Sequence[int], now_ms: int, retention_days: int | None) -> Verdict:
    """Which events of a batch in order of time are too old, expired or too new."""
    too_old = sum(1 for time in timestamps if time < now_ms - _PAST_MS)
    expired = sum(1 for time in timestamps if retention_days and time < now_ms - retention_days * DAY_MS)
    too_new = sum(1 for time in timestamps if time > now_ms + _FUTURE_MS)
    return Verdict(too_old or None, expired or None, len(timestamps) - too_new if too_new else None)


class PutEvents:
    """The operation that stores events."""

    def __init__(self, store: Store, events: EventLog, now: Clock) -> None:
        self._store = store
        self._events = events
        self._now = now

    async def put_log_events(self, ctx: Context, request: logs.PutLogEventsRequest) -> logs.PutLogEventsResponse:
        """Store a batch; events that are too old or too new are left out, and the answer says which."""
        stream = get_stream(self._store, request.log_group_name, request.log_stream_name)
        retention = get_group(self._store, stream.group).retention_days
        _check_size(request.log_events)
        timestamps = [event.timestamp for event in request.log_events]
        if any(later < earlier for earlier, later in pairwise(timestamps)):
            raise logs.InvalidParameterException(
                "Log events in a single PutLogEvents request must be in chronological order."
            )
        now_ms = int(self._now() * 1000)
        verdict = judge(timestamps, now_ms, retention)
        times = timestamps[verdict.accepted]
        if times and times[-1] - times[0] > DAY_MS:
            raise logs.InvalidParameterException(
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
            )
        if times:
            messages = [event.message for event in request.log_events[verdict.accepted]]
            await to_thread.run_sync(self._events.append, stream.id, Batch(times, messages, now_ms))
        rejected = None if verdict.is_clean else _rejected(verdict)
        return logs.PutLogEventsResponse(next_sequence_token=SEQUENCE_TOKEN, rejected_log_events_info=rejected)


def _check_size(events: Sequence[logs.InputLogEvent]) -> None:
    size = sum(event_bytes(event.message) for event in events)
    if size > BATCH_BYTES:
        raise logs.InvalidParameterException(f"Upload too large: {size} bytes exceeds limit of {BATCH_BYTES}")


def _rejected(verdict: Verdict) -> logs.RejectedLogEventsInfo:
    return logs.RejectedLogEventsInfo(
        too_new_log_event_start_index=verdict.too_new_start,
        too_old_log_event_end_index=verdict.too_old_end,
        expired_log_event_end_index=verdict.expired_end,
    )
