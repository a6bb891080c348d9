"""PutLogEvents, GetLogEvents and FilterLogEvents: AWS's rules and texts."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.api import logs
from tidegate.services.logs.read import ReadEvents
from tidegate.store.logs.event_log import EventLog
from tidegate.store.store import StoreUnavailable

pytestmark = pytest.mark.anyio
HOUR = 3_600_000
DAY = 24 * HOUR


async def get(bench: Any, **members: Any) -> logs.GetLogEventsResponse:
    request = logs.GetLogEventsRequest(**({"log_group_name": "g", "log_stream_name": "s"} | members))
    answer: logs.GetLogEventsResponse = await bench.api.get_log_events(bench.ctx, request)
    return answer


async def find(bench: Any, **members: Any) -> logs.FilterLogEventsResponse:
    request = logs.FilterLogEventsRequest(**({"log_group_name": "g"} | members))
    answer: logs.FilterLogEventsResponse = await bench.api.filter_log_events(bench.ctx, request)
    return answer


def texts(answer: logs.GetLogEventsResponse | logs.FilterLogEventsResponse) -> list[str | None]:
    return [event.message for event in answer.events or ()]


async def test_events_are_stored_and_read(bench: Any) -> None:
    """Time, text and time of ingestion come back; all of the batch was accepted."""
    await bench.make("g", "s")
    answer = await bench.put((0, "a"), (0, "b"), (5, "c"))
    assert answer.rejected_log_events_info is None
    assert answer.next_sequence_token
    assert (await get(bench)).events == tuple(
        logs.OutputLogEvent(timestamp=bench.now_ms + at, message=text, ingestion_time=bench.now_ms)
        for at, text in [(0, "a"), (0, "b"), (5, "c")]
    )


async def test_events_of_another_time_are_left_out(bench: Any) -> None:
    """More than 14 days old or 2 hours ahead: skipped, with the indexes AWS gives; the rest is stored."""
    await bench.make("g", "s")
    answer = await bench.put((-14 * DAY - 1, "old"), (-14 * DAY, "just"), (-14 * DAY + 5, "in"), (2 * HOUR + 1, "new"))
    assert answer.rejected_log_events_info == logs.RejectedLogEventsInfo(
        too_old_log_event_end_index=1, too_new_log_event_start_index=3
    )
    assert texts(await get(bench)) == ["just", "in"]
    answer = await bench.put((2 * HOUR + 1, "new"))
    assert answer.rejected_log_events_info == logs.RejectedLogEventsInfo(too_new_log_event_start_index=0)


async def test_expired_events_are_left_out_and_hidden(bench: Any) -> None:
    """What is older than the group's retention is neither stored nor shown."""
    await bench.make("g", "s")
    await bench.put((-3 * DAY - 1, "old"), (-3 * DAY, "edge"))
    request = logs.PutRetentionPolicyRequest(log_group_name="g", retention_in_days=3)
    await bench.api.put_retention_policy(bench.ctx, request)
    answer = await bench.put((-3 * DAY - 1, "older"), (-3 * DAY + 1, "kept"))
    assert answer.rejected_log_events_info == logs.RejectedLogEventsInfo(expired_log_event_end_index=1)
    assert texts(await get(bench)) == texts(await find(bench)) == ["edge", "kept"]


@pytest.mark.parametrize(
    "events, text",
    [
        ([(1, "a"), (0, "b")], "must be in chronological order"),
        ([(-DAY - 1, "a"), (0, "b")], "cannot span more than 24 hours"),
        ([(0, "x" * 1_048_551)], "Upload too large: 1048577 bytes exceeds limit of 1048576"),
        ([(0, "é" * 262_200), (0, "é" * 262_200)], "Upload too large"),
    ],
)
async def test_bad_batches_are_refused_whole(bench: Any, events: list[tuple[int, str]], text: str) -> None:
    """Order, span and size are AWS's; nothing of a refused batch is stored."""
    await bench.make("g", "s")
    with pytest.raises(logs.InvalidParameterException, match=text):
        await bench.put(*events)
    assert texts(await get(bench)) == []


async def test_the_largest_batch_is_accepted(bench: Any) -> None:
    """1,048,576 bytes, counting 26 for each event, is one page, and 24 hours is allowed."""
    await bench.make("g", "s")
    await bench.put((-DAY, "x" * (524_288 - 26)), (0, "y" * (524_288 - 26)))
    assert [len(text or "") for text in texts(await get(bench))] == [524_262, 524_262]


async def test_what_is_missing_is_named(bench: Any) -> None:
    """AWS's texts for a missing group and a missing stream, in every operation on events."""
    for group, text in [
        ("none", "The specified log group does not exist."),
        ("g", "The specified log stream does not"),
    ]:
        if group == "g":
            await bench.make("g")
        with pytest.raises(logs.ResourceNotFoundException, match=text):
            await bench.put((0, "a"), group=group)
        with pytest.raises(logs.ResourceNotFoundException, match=text):
            await get(bench, log_group_name=group)
        with pytest.raises(logs.ResourceNotFoundException, match=text):
            await find(bench, log_group_name=group, log_stream_names=("s",))


async def test_a_stream_is_paged_from_its_head(bench: Any) -> None:
    """Forward tokens lead through all events; at the end the same token comes back, and later leads on."""
    await bench.make("g", "s")
    await bench.put(*[(at // 2, f"{at}") for at in range(7)])
    first = await get(bench, start_from_head=True, limit=3)
    second = await get(bench, next_token=first.next_forward_token, limit=3)
    third = await get(bench, next_token=second.next_forward_token, limit=3)
    end = await get(bench, next_token=third.next_forward_token, limit=3)
    assert [texts(page) for page in (first, second, third, end)] == [["0", "1", "2"], ["3", "4", "5"], ["6"], []]
    assert end.next_forward_token == third.next_forward_token
    await bench.put((9, "7"))
    assert texts(await get(bench, next_token=end.next_forward_token)) == ["7"]
    assert texts(await get(bench, next_token=second.next_backward_token)) == ["0", "1", "2"]
    assert texts(await get(bench, next_token=end.next_backward_token, limit=2)) == ["5", "6"]


async def test_a_stream_is_paged_from_its_tail(bench: Any) -> None:
    """By default the last page comes first, oldest event first within it; backward tokens lead to the start."""
    await bench.make("g", "s")
    await bench.put(*[(at // 2, f"{at}") for at in range(7)])
    last = await get(bench, limit=3)
    before = await get(bench, next_token=last.next_backward_token, limit=3)
    start = await get(bench, next_token=before.next_backward_token, limit=3)
    beyond = await get(bench, next_token=start.next_backward_token, limit=3)
    assert [texts(page) for page in (last, before, start, beyond)] == [["4", "5", "6"], ["1", "2", "3"], ["0"], []]
    assert beyond.next_backward_token == start.next_backward_token
    assert texts(await get(bench, next_token=beyond.next_forward_token, limit=2)) == ["0", "1"]
    assert texts(await get(bench, next_token=last.next_forward_token)) == []


async def test_an_empty_stream_can_be_followed(bench: Any) -> None:
    """Tokens are never missing; those of an empty stream lead to what comes."""
    await bench.make("g", "s")
    for from_head in (True, False):
        page = await get(bench, start_from_head=from_head)
        assert page.events == ()
        assert page.next_forward_token
        assert page.next_backward_token
    await bench.put((0, "a"))
    assert texts(await get(bench, next_token=page.next_forward_token)) == ["a"]
    assert texts(await get(bench, next_token=page.next_backward_token)) == []


async def test_a_page_holds_a_megabyte(bench: Any) -> None:
    """Large events end a page early; the token leads on; one event always fits."""
    await bench.make("g", "s")
    for at in range(3):
        await bench.put((at, f"{at}" * 600_000))
    page = await get(bench, start_from_head=True)
    assert [text[:1] for text in texts(page) if text] == ["0"]
    page = await get(bench, next_token=page.next_forward_token)
    assert [text[:1] for text in texts(page) if text] == ["1"]
    found = await find(bench)
    assert [text[:1] for text in texts(found) if text] == ["0"]
    assert found.next_token


async def test_times_choose_events(bench: Any) -> None:
    """GetLogEvents leaves the end time out, FilterLogEvents takes it in; both take the start time in."""
    await bench.make("g", "s")
    await bench.put((0, "a"), (1, "b"), (2, "c"))
    times = {"start_time": bench.now_ms, "end_time": bench.now_ms + 1}
    assert texts(await get(bench, **times)) == ["a"]
    assert texts(await find(bench, **times)) == ["a", "b"]


@pytest.mark.parametrize("token", ["x", "f/1", "b/" + "9" * 55, "q/" + "0" * 56, "f/" + "0" * 55 + "\n"])
async def test_foreign_tokens_are_refused(bench: Any, token: str) -> None:
    """A token that we did not make is AWS's error."""
    await bench.make("g", "s")
    with pytest.raises(logs.InvalidParameterException, match=r"The specified nextToken is invalid\."):
        await get(bench, next_token=token)
    with pytest.raises(logs.InvalidParameterException, match=r"The specified nextToken is invalid\."):
        await find(bench, next_token=token)


async def test_a_group_is_searched_in_order_of_time(bench: Any) -> None:
    """Streams are interleaved; names or a prefix choose some; each event has an id of its own."""
    await bench.make("g", "a1", "a2", "b")
    await bench.put((0, "p"), (2, "q"), stream="a1")
    await bench.put((1, "r"), (2, "s"), stream="b")
    await bench.put((3, "t"), stream="a2")
    found = await find(bench)
    assert texts(found)[:2] == ["p", "r"]
    assert set(texts(found)[2:4]) == {"q", "s"}
    assert found.searched_log_streams == ()
    assert found.next_token is None
    assert len({event.event_id for event in found.events or ()}) == 5
    assert [event.log_stream_name for event in found.events or ()][:2] == ["a1", "b"]
    assert texts(await find(bench, log_stream_name_prefix="a")) == ["p", "q", "t"]
    assert texts(await find(bench, log_stream_names=("b",))) == ["r", "s"]
    with pytest.raises(logs.InvalidParameterException):
        await find(bench, log_stream_names=("b",), log_stream_name_prefix="a")


async def test_a_search_is_paged_without_loss(bench: Any) -> None:
    """Pages of any size give each matching event once, in both directions, whatever comes in between."""
    await bench.make("g", "s", "t")
    await bench.put(*[(at, f"{'hit' if at % 3 else 'miss'} {at}") for at in range(20)])
    await bench.put(*[(at, f"hit t{at}") for at in range(5, 15)], stream="t")
    everything = texts(await find(bench, filter_pattern="hit"))
    assert len(everything) == 13 + 10
    for from_head in (True, False):
        token, seen = None, []
        while token or not seen:
            page = await find(bench, filter_pattern="hit", limit=4, next_token=token, start_from_head=from_head)
            seen += texts(page)
            token = page.next_token
        assert seen == (everything if from_head else everything[::-1])


async def test_a_long_search_ends_its_pages_early(bench: Any) -> None:
    """A page that has looked at enough events ends, even empty, with a token that goes on."""
    await bench.make("g", "s")
    await bench.put(*[(at, "needle" if at == 25 else "hay") for at in range(30)])
    reader = ReadEvents(bench.store, bench.events, lambda: bench.now_ms / 1000, scan_events=10)
    pages, token = [], None
    while token or not pages:
        request = logs.FilterLogEventsRequest(log_group_name="g", filter_pattern="needle", next_token=token)
        answer = await reader.filter_log_events(bench.ctx, request)
        pages.append(texts(answer))
        token = answer.next_token
    assert pages == [[], [], ["needle"]]


async def test_newest_first_is_for_recent_times(bench: Any) -> None:
    """startFromHead=false before 2024 is refused, as on AWS."""
    await bench.make("g", "s")
    await find(bench, start_from_head=False, start_time=1_704_067_200_000)
    with pytest.raises(logs.InvalidParameterException, match="startFromHead"):
        await find(bench, start_from_head=False, start_time=1_704_067_199_999)


@pytest.mark.parametrize(
    "pattern, hits",
    [
        (None, "1234"),
        ("", "1234"),
        ("  ", "1234"),
        ('""', "1234"),
        ("ERROR", "12"),
        ("error", ""),
        ("ERROR timeout", "1"),
        ('"ERROR disk"', "2"),
        ('"disk ERROR"', ""),
        ("?timeout ?disk", "124"),
        ("-ERROR", "34"),
        ("ERROR -timeout", "2"),
        ('-"a \\"b\\""', "123"),
        ('"a \\"b\\""', "4"),
        ("timeout", "1"),
    ],
)
async def test_patterns_choose_by_terms(bench: Any, pattern: str | None, hits: str) -> None:
    """All terms, any ?term, no -term, phrases in quotes; case counts."""
    await bench.make("g", "s")
    await bench.put((0, "1 ERROR timeout"), (0, "2 ERROR disk"), (0, "3 all well"), (0, '4 disk a "b" c'))
    assert "".join((text or "")[0] for text in texts(await find(bench, filter_pattern=pattern))) == hits


@pytest.mark.parametrize(
    "pattern, text",
    [
        ('"open', "Invalid filter pattern"),
        ("{ $.a = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("[ip, user", "If a filter pattern starts with '[' it must end with ']'"),
    ],
)
async def test_malformed_patterns_are_refused(bench: Any, pattern: str, text: str) -> None:
    """With AWS's own words, and no more."""
    await bench.make("g", "s")
    with pytest.raises(logs.InvalidParameterException) as caught:
        await find(bench, filter_pattern=pattern)
    assert caught.value.message == text


async def test_a_full_disk_is_answered(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PutLogEvents on a full disk is ServiceUnavailableException with the reason."""

    def append(self: EventLog, stream: str, batch: object) -> None:
        raise StoreUnavailable("cannot write log events: No space left on device")

    await bench.make("g", "s")
    monkeypatch.setattr(EventLog, "append", append)
    with pytest.raises(logs.ServiceUnavailableException, match="No space left"):
        await bench.put((0, "a"))
