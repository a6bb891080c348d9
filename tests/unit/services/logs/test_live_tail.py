"""StartLiveTail, on virtual time."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import anyio
import pytest

from tidegate.api import logs
from tidegate.services.logs.live_tail import MOST_SESSIONS, SEEN_EVENTS, SESSION_SECONDS, SHOWN_EVENTS

pytestmark = pytest.mark.anyio
ARN = "arn:aws:logs:eu-north-1:000000000000:log-group:"


async def start(bench: Any, *groups: str, **members: Any) -> Any:
    request = logs.StartLiveTailRequest(
        log_group_identifiers=tuple(f"{ARN}{group}" for group in groups or ("g",)), **members
    )
    return aclosing(await bench.api.start_live_tail(bench.ctx, request))


async def update(session: Any) -> logs.LiveTailSessionUpdate:
    found = (await anext(session)).session_update
    assert found is not None
    return found


async def messages(session: Any) -> list[str]:
    return [event.message for event in (await update(session)).session_results]


async def test_a_session_tells_what_comes(bench: Any):
    """First the session, then every second what was stored in it, also when that is nothing."""
    await bench.make("g", "s")
    await bench.put((0, "before"))
    async with await start(bench, log_event_filter_pattern="-noise") as session:
        begun = (await anext(session)).session_start
        assert begun.log_group_identifiers == (f"{ARN}g",)
        assert (begun.request_id, len(begun.session_id)) == ("r", 36)
        before = anyio.current_time()
        assert await messages(session) == []
        assert anyio.current_time() == before + 1
        await bench.put((0, "one"), (5, "noise"), (7, "two"))
        shown = await update(session)
        assert shown.session_metadata == logs.LiveTailSessionMetadata(sampled=False)
        assert shown.session_results == tuple(
            logs.LiveTailSessionLogEvent(
                log_stream_name="s",
                log_group_identifier=f"{ARN}g",
                message=text,
                timestamp=bench.now_ms + at,
                ingestion_time=bench.now_ms,
            )
            for at, text in ((0, "one"), (7, "two"))
        )
        assert await messages(session) == []


async def test_groups_and_streams_are_chosen(bench: Any):
    """Streams of these groups alone, by name or by prefix; those that are made later, too."""
    await bench.make("g", "a/1", "b/1")
    await bench.make("h", "a/1")
    async with (
        await start(bench, "g", "h") as both,
        await start(bench, log_stream_names=("a/1", "a/2")) as named,
        await start(bench, log_stream_name_prefixes=("b/",)) as prefixed,
    ):
        for session in (both, named, prefixed):
            await anext(session)
        request = logs.CreateLogStreamRequest(log_group_name="g", log_stream_name="a/2")
        await bench.api.create_log_stream(bench.ctx, request)
        for group, stream in (("g", "a/1"), ("g", "a/2"), ("g", "b/1"), ("h", "a/1")):
            await bench.put((0, f"{group}:{stream}"), group=group, stream=stream)
        assert sorted(await messages(both)) == ["g:a/1", "g:a/2", "g:b/1", "h:a/1"]
        assert sorted(await messages(named)) == ["g:a/1", "g:a/2"]
        assert await messages(prefixed) == ["g:b/1"]


async def test_many_events_are_sampled(bench: Any):
    """Beyond 500 in a second the rest is left out, evenly; that is said, and so it is when not all was looked at."""
    await bench.make("g", "s", "quiet")
    async with await start(bench) as session, await start(bench, log_stream_names=("quiet",)) as quiet:
        await anext(session)
        await anext(quiet)
        await bench.put(*[(0, str(number)) for number in range(2 * SHOWN_EVENTS)])
        shown = await update(session)
        assert shown.session_metadata.sampled
        assert [int(event.message) for event in shown.session_results] == list(range(0, 2 * SHOWN_EVENTS, 2))
        assert not (await update(quiet)).session_metadata.sampled
        for _ in range(3):
            await bench.put(*[(0, "x") for _ in range(SEEN_EVENTS // 2)])
        await bench.put((0, "heard"), stream="quiet")
        assert (await update(session)).session_metadata.sampled
        assert await messages(quiet) == ["heard"], "what others flood is not looked at"
        assert not (await update(session)).session_metadata.sampled


async def test_a_session_ends_after_three_hours(bench: Any):
    """With the modelled exception."""
    await bench.make("g")
    began = anyio.current_time()
    async with await start(bench) as session:
        with pytest.raises(logs.SessionTimeoutException):
            async for _ in session:
                pass
    assert anyio.current_time() == began + SESSION_SECONDS


async def test_sessions_are_limited(bench: Any):
    """A sixteenth is refused until one has ended."""
    await bench.make("g")
    sessions = [await start(bench) for _ in range(MOST_SESSIONS)]
    opened = [await session.__aenter__() for session in sessions]
    for session in opened:
        await anext(session)
    with pytest.raises(logs.LimitExceededException):
        await start(bench)
    await opened[0].aclose()
    async with await start(bench) as another:
        assert (await anext(another)).session_start is not None
    for session in opened:
        await session.aclose()


@pytest.mark.parametrize(
    "identifiers, members, error",
    [
        (("g",), {}, "InvalidParameterException"),
        ((f"{ARN}g:*",), {}, "InvalidParameterException"),
        ((f"{ARN}nowhere",), {}, "ResourceNotFoundException"),
        (("arn:aws:logs:eu-north-1:999999999999:log-group:g",), {}, "ResourceNotFoundException"),
        ((f"{ARN}g",), {"log_stream_names": ("a",), "log_stream_name_prefixes": ("b",)}, "InvalidParameterException"),
        ((f"{ARN}g", f"{ARN}h"), {"log_stream_names": ("a",)}, "InvalidParameterException"),
        ((f"{ARN}g",), {"log_event_filter_pattern": "{ $.a }"}, "InvalidParameterException"),
    ],
)
async def test_what_is_refused(bench: Any, identifiers: tuple[str, ...], members: dict[str, Any], error: str):
    """Before the session begins, as any error."""
    await bench.make("g")
    await bench.make("h")
    request = logs.StartLiveTailRequest(log_group_identifiers=identifiers, **members)
    with pytest.raises(getattr(logs, error)):
        await bench.api.start_live_tail(bench.ctx, request)
