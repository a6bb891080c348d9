"""Observations, handed on to readers at their own pace."""

from __future__ import annotations

import gc

import anyio
import pytest

from tidegate.engine.feed import Feed
from tidegate.model.status import LastStatus, Observation

pytestmark = pytest.mark.anyio


def seen(task: str, revision: int) -> Observation:
    return Observation(task=task, revision=revision, last_status=LastStatus.RUNNING)


async def test_a_slow_reader_gets_the_last_of_each():
    """What a slow reader missed is skipped; the newest of each task is not."""
    feed = Feed()
    watch = feed.watch()
    for revision in range(1, 100):
        feed.publish(seen("a", revision))
    feed.publish(seen("b", 1))

    got = {(o.task, o.revision) for o in [await anext(watch), await anext(watch)]}
    assert got == {("a", 99), ("b", 1)}


async def test_old_observations_are_dropped():
    """A replay changes nothing, for readers and for the snapshot."""
    feed = Feed()
    feed.publish(seen("a", 2))
    watch = feed.watch()
    feed.publish(seen("a", 1))
    feed.publish(seen("a", 2))

    assert [o.revision for o in feed.snapshot()] == [2]
    with anyio.move_on_after(1) as limit:
        await anext(watch)
    assert limit.cancelled_caught


async def test_a_watch_begins_at_the_call():
    """What is published between `watch` and the first read is not missed."""
    feed = Feed()
    watch = feed.watch()
    feed.publish(seen("a", 1))

    assert (await anext(watch)).revision == 1


async def test_a_reader_that_is_gone_is_forgotten():
    """A watch that nobody holds any more costs nothing."""
    feed = Feed()
    watch = feed.watch()
    del watch
    gc.collect()

    assert len(feed._readers) == 0
