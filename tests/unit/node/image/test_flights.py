"""Work that several want at once is done once."""

from __future__ import annotations

import anyio
import pytest

from tidegate.node.image.flights import Flights
from tidegate.node.image.images import ImageNotFound, Progress

pytestmark = pytest.mark.anyio


async def test_all_get_one_result_and_hear_what_is_told() -> None:
    """From when they came; the next to come begins anew."""
    begun = 0
    heard: list[tuple[int, str]] = []
    results: list[str] = []

    async def work(tell: Progress) -> str:
        nonlocal begun
        begun += 1
        tell("early")
        await anyio.sleep(10)
        tell("late")
        return "result"

    async with anyio.create_task_group() as group:
        flights: Flights[str] = Flights(group)

        async def join(number: int, delay: float) -> None:
            await anyio.sleep(delay)
            results.append(await flights.join("key", work, lambda line: heard.append((number, line))))

        async with anyio.create_task_group() as callers:
            callers.start_soon(join, 1, 0)
            callers.start_soon(join, 2, 5)
        assert (begun, results) == (1, ["result", "result"])
        assert sorted(heard) == [(1, "early"), (1, "late"), (2, "late")]
        await flights.join("key", work, None)
        assert begun == 2


async def test_an_error_reaches_everyone_and_is_not_remembered() -> None:
    """The next try is a new one."""
    tries = 0

    async def work(tell: Progress) -> str:
        nonlocal tries
        tries += 1
        await anyio.sleep(1)
        if tries == 1:
            raise ImageNotFound("not there")
        return "there"

    caught = 0
    async with anyio.create_task_group() as group:
        flights: Flights[str] = Flights(group)

        async def join() -> None:
            nonlocal caught
            with pytest.raises(ImageNotFound, match="not there"):
                await flights.join("key", work, None)
            caught += 1

        async with anyio.create_task_group() as callers:
            for _ in range(3):
                callers.start_soon(join)
        assert (caught, tries) == (3, 1)
        assert await flights.join("key", work, None) == "there"


async def test_it_goes_on_for_those_who_stay_and_ends_when_none_does() -> None:
    """A caller that is cancelled takes nothing from the others."""
    ended = anyio.Event()
    done: list[str] = []

    async def work(tell: Progress) -> str:
        try:
            await anyio.sleep(10)
        finally:
            ended.set()
        return "done"

    async with anyio.create_task_group() as group:
        flights: Flights[str] = Flights(group)

        async def leave_after(seconds: float) -> None:
            with anyio.move_on_after(seconds):
                done.append(await flights.join("key", work, None))

        async with anyio.create_task_group() as callers:
            callers.start_soon(leave_after, 1)
            callers.start_soon(leave_after, 20)
        assert done == ["done"]
        ended = anyio.Event()
        start = anyio.current_time()
        await leave_after(2)
        await ended.wait()
        assert anyio.current_time() - start == pytest.approx(2)
    assert done == ["done"]
