"""CloudWatch Logs over a store in memory and files in a temporary directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.model.log import LogStream
from tidegate.services.logs.service import Logs
from tidegate.store.logs.event_log import EventLog
from tidegate.store.logs.stream import Batch
from tidegate.store.memory import MemoryStore

NOW_MS = 1_750_000_000_000


@dataclass
class Bench:
    """The operations, and what is behind them."""

    api: logs.Api
    store: MemoryStore
    events: EventLog
    ctx: Context
    now_ms: int = NOW_MS

    async def make(self, group: str = "g", *streams: str) -> None:
        """A group and streams of it."""
        await self.api.create_log_group(self.ctx, logs.CreateLogGroupRequest(log_group_name=group))
        for stream in streams:
            request = logs.CreateLogStreamRequest(log_group_name=group, log_stream_name=stream)
            await self.api.create_log_stream(self.ctx, request)

    async def put(self, *events: tuple[int, str], group: str = "g", stream: str = "s") -> logs.PutLogEventsResponse:
        """Events through the API; times are relative to now, in ms."""
        batch = tuple(logs.InputLogEvent(timestamp=self.now_ms + at, message=text) for at, text in events)
        request = logs.PutLogEventsRequest(log_group_name=group, log_stream_name=stream, log_events=batch)
        return await self.api.put_log_events(self.ctx, request)

    def write(self, stream: str, times: Sequence[int], text: str = "event") -> None:
        """Events behind the API's back, at any time."""
        record = next(record for record in self.store.select(LogStream) if record.name == stream)
        self.events.append(record.id, Batch(list(times), [text] * len(times), self.now_ms))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    store, events = MemoryStore(), EventLog(tmp_path / "logs")
    ctx = Context("000000000000", "eu-north-1", "r", "arn:aws:iam::000000000000:root")
    api = Logs(store, events, lambda: bench.now_ms / 1000)
    bench = Bench(api, store, events, ctx)
    return bench
