"""Reading log events against a sorted list, whatever the batches, segments, windows and pages."""

from __future__ import annotations

import tempfile
from pathlib import Path

import anyio
import hypothesis.strategies as st
from hypothesis import given, settings

from tidegate.api import logs
from tidegate.api.shape import Context
from tidegate.services.logs.service import Logs
from tidegate.store.logs.event_log import EventLog
from tidegate.store.memory import MemoryStore

CTX = Context("000000000000", "eu-north-1", "r", "arn:aws:iam::000000000000:root")
NOW_MS = 1_750_000_000_000
STREAMS = ("a", "b", "c")

moments = st.integers(0, 30)
batches = st.lists(st.tuples(st.sampled_from(STREAMS), st.lists(moments, min_size=1, max_size=6)), max_size=12)
windows = st.tuples(st.one_of(st.none(), moments), st.one_of(st.none(), moments))
Model = list[tuple[int, int, str, str]]
"""Events as (time, number of arrival, stream, message)."""


class World:
    """A service over fresh files, and the list that it must agree with."""

    def __init__(self, root: Path, segment_bytes: int) -> None:
        self.root, self.segment_bytes = root, segment_bytes
        self.store = MemoryStore()
        self.model: Model = []
        self.open()

    def open(self) -> None:
        self.events = EventLog(self.root, segment_bytes=self.segment_bytes, open_streams=2, open_files=2)
        self.api: logs.Api = Logs(self.store, self.events, lambda: NOW_MS / 1000)

    async def fill(self, puts: list[tuple[str, list[int]]]) -> None:
        await self.api.create_log_group(CTX, logs.CreateLogGroupRequest(log_group_name="g"))
        for stream in STREAMS:
            request = logs.CreateLogStreamRequest(log_group_name="g", log_stream_name=stream)
            await self.api.create_log_stream(CTX, request)
        for stream, times in puts:
            events = []
            for time in sorted(times):
                message = f"{stream} {len(self.model)} {'even' if time % 2 == 0 else 'odd'}"
                events.append(logs.InputLogEvent(timestamp=NOW_MS + time, message=message))
                self.model.append((NOW_MS + time, len(self.model), stream, message))
            await self.api.put_log_events(
                CTX, logs.PutLogEventsRequest(log_group_name="g", log_stream_name=stream, log_events=tuple(events))
            )

    async def close(self) -> None:
        await self.events.close()


def absolute(window: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    start, end = window
    return (None if start is None else NOW_MS + start), (None if end is None else NOW_MS + end)


async def read_stream(
    world: World, stream: str, start: int | None, end: int | None, limit: int, *, head: bool
) -> list[str]:
    token, found = None, []
    for _ in range(200):
        page = await world.api.get_log_events(
            CTX,
            logs.GetLogEventsRequest(
                log_group_name="g",
                log_stream_name=stream,
                start_time=start,
                end_time=end,
                limit=limit,
                start_from_head=head,
                next_token=token,
            ),
        )
        texts = [event.message or "" for event in page.events or ()]
        found = found + texts if head else texts + found
        following = page.next_forward_token if head else page.next_backward_token
        if following == token:
            return found
        token = following
    raise AssertionError("the pages never end")


async def search(world: World, start: int | None, end: int | None, limit: int, *, head: bool) -> list[tuple[int, str]]:
    token, found = None, []
    for _ in range(200):
        page = await world.api.filter_log_events(
            CTX,
            logs.FilterLogEventsRequest(
                log_group_name="g",
                start_time=start,
                end_time=end,
                limit=limit,
                filter_pattern="even",
                start_from_head=head,
                next_token=token,
            ),
        )
        found += [(event.timestamp or 0, event.message or "") for event in page.events or ()]
        token = page.next_token
        if token is None:
            return found
    raise AssertionError("the pages never end")


@given(
    puts=batches,
    window=windows,
    limit=st.integers(1, 7),
    segment_bytes=st.sampled_from([100, 400, 10**6]),
    reopens=st.sampled_from(["no", "closed", "crashed"]),
)
@settings(max_examples=80, deadline=None)
def test_reading_equals_a_sorted_list(
    puts: list[tuple[str, list[int]]],
    window: tuple[int | None, int | None],
    limit: int,
    segment_bytes: int,
    reopens: str,
) -> None:
    """Get in both directions and Filter in both orders give the events of the list, in order, each once."""

    async def check() -> None:
        with tempfile.TemporaryDirectory() as directory:
            world = World(Path(directory) / "logs", segment_bytes)
            await world.fill(puts)
            if reopens == "closed":
                await world.close()
            if reopens != "no":
                world.open()
            start, end = absolute(window)
            low, high = start or 0, 10**15 if end is None else end
            for stream in STREAMS:
                wanted = [m for t, _, s, m in sorted(world.model) if s == stream and low <= t < high]
                assert await read_stream(world, stream, start, end, limit, head=True) == wanted
                assert await read_stream(world, stream, start, end, limit, head=False) == wanted
            hits = [(t, m) for t, _, _, m in world.model if low <= t <= high and "even" in m]
            forward = await search(world, start, end, limit, head=True)
            assert sorted(forward) == sorted(hits)
            assert [time for time, _ in forward] == sorted(time for time, _ in hits)
            assert await search(world, start, end, limit, head=False) == forward[::-1]
            await world.close()

    anyio.run(check)
