"""Statistics as Docker Engine has them, and the two readings that they are made from."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from fakes.endpoint import TASK, counters
from tidegate.model.counters import ContainerCounters
from tidegate.node.endpoint.sampling import IDLE_SECONDS, Sampler
from tidegate.node.endpoint.statistics import render_statistics

AT = 1_772_619_361.1  # 2026-03-04T10:16:01.1Z
ID = f"{TASK}-1234567890"


def test_statistics_are_dockers() -> None:
    """Every member of Docker's object, and ECS's rates."""
    before = counters(AT - 1, group={"cpu_nanoseconds": 360_000_000}, host_cpu=11_850_000_000, rx=83, tx=82)
    answer = render_statistics("app", ID, before, counters(AT))
    assert answer["read"] == "2026-03-04T10:16:01.1Z"
    assert answer["preread"] == "2026-03-04T10:16:00.1Z"
    assert answer["pids_stats"] == {"current": 4}
    assert (answer["num_procs"], answer["storage_stats"], answer["name"], answer["id"]) == (0, {}, "app", ID)
    assert answer["blkio_stats"] == {
        "io_service_bytes_recursive": [{"major": 202, "minor": 1, "op": "Read", "value": 40_960}],
        "io_serviced_recursive": [],
        "io_queue_recursive": [],
        "io_service_time_recursive": [],
        "io_wait_time_recursive": [],
        "io_merged_recursive": [],
        "io_time_recursive": [],
        "sectors_recursive": [],
    }
    assert answer["cpu_stats"] == {
        "cpu_usage": {
            "total_usage": 360_968_065,
            "percpu_usage": [182_359_190, 178_608_875],
            "usage_in_kernelmode": 40_000_000,
            "usage_in_usermode": 290_000_000,
        },
        "system_cpu_usage": 13_840_000_000,
        "online_cpus": 2,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
    assert answer["precpu_stats"]["cpu_usage"]["total_usage"] == 360_000_000
    assert answer["precpu_stats"]["system_cpu_usage"] == 11_850_000_000
    assert answer["memory_stats"] == {
        "usage": 1_806_336,
        "max_usage": 6_299_648,
        "stats": {"rss": 557_056, "cache": 0},
        "limit": 536_870_912,
    }
    assert answer["networks"]["eth1"]["rx_bytes"] == 84
    assert answer["network_rate_stats"] == {"rx_bytes_per_sec": 1.0, "tx_bytes_per_sec": 2.0}


def test_what_the_kernel_does_not_tell_is_left_out() -> None:
    """Control groups of version 2 have no times by core; without a limit the host's memory is the limit."""
    group = {"cpu_nanoseconds_by_core": (), "memory_peak_bytes": None, "memory_limit_bytes": None}
    answer = render_statistics("app", ID, counters(AT - 1), counters(AT, group=group))
    assert "percpu_usage" not in answer["cpu_stats"]["cpu_usage"]
    assert "max_usage" not in answer["memory_stats"]
    assert answer["memory_stats"]["limit"] == 8 << 30


def test_hitting_the_limit_is_counted() -> None:
    """As Docker has it: only when it has happened."""
    answer = render_statistics("app", ID, counters(AT - 1), counters(AT, group={"memory_failures": 3}))
    assert answer["memory_stats"]["failcnt"] == 3


def test_a_clock_that_was_set_back_makes_no_rate() -> None:
    """Two readings without time between them."""
    answer = render_statistics("app", ID, counters(AT), counters(AT, rx=500))
    assert answer["network_rate_stats"] == {"rx_bytes_per_sec": 0.0, "tx_bytes_per_sec": 0.0}


class Readings:
    """Counts who is read when, on the event loop's clock."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, float]] = []
        self.gone: set[str] = set()

    def read(self, task: str, container: str) -> ContainerCounters | None:
        self.reads.append((container, anyio.current_time()))
        return None if container in self.gone else counters(anyio.current_time())


@pytest.fixture
def readings() -> Readings:
    return Readings()


@pytest.fixture
async def sampler(readings: Readings) -> AsyncIterator[Sampler]:
    found = Sampler(readings, lambda task: task not in readings.gone)
    async with found.open():
        yield found


@pytest.mark.anyio
async def test_the_first_to_ask_waits_for_a_second(sampler: Sampler) -> None:
    """Two readings, a second apart; whoever asks next has them at once."""
    began = anyio.current_time()
    pair = (await sampler.pairs(TASK, ("app",)))["app"]
    assert pair is not None
    assert (pair[0].read_at, pair[1].read_at) == (began, began + 1)
    assert anyio.current_time() == began + 1
    assert (await sampler.pairs(TASK, ("app",)))["app"] == pair
    assert anyio.current_time() == began + 1


@pytest.mark.anyio
async def test_nobody_is_read_that_nobody_asks_about(sampler: Sampler, readings: Readings) -> None:
    """Once a second while somebody asks, then for a minute, then no more."""
    await sampler.pairs(TASK, ("app",))
    await anyio.sleep(IDLE_SECONDS * 3)
    assert sampler.watched() == 0
    assert IDLE_SECONDS <= len(readings.reads) <= IDLE_SECONDS + 3
    count = len(readings.reads)
    await anyio.sleep(10)
    assert len(readings.reads) == count


@pytest.mark.anyio
async def test_a_container_that_does_not_run_has_none(sampler: Sampler, readings: Readings) -> None:
    """Neither one that has ended nor one that was not there a second ago; the others have theirs."""
    readings.gone.add("init")
    pairs = await sampler.pairs(TASK, ("init", "app"))
    assert pairs["init"] is None
    assert pairs["app"] is not None
    readings.gone.remove("init")
    await anyio.sleep(0.5)
    assert (await sampler.pairs(TASK, ("init",)))["init"] is None
    await anyio.sleep(2)
    assert (await sampler.pairs(TASK, ("init",)))["init"] is not None


@pytest.mark.anyio
async def test_a_task_that_has_gone_is_forgotten(sampler: Sampler, readings: Readings) -> None:
    """At once: whoever still asks is told of nothing."""
    await sampler.pairs(TASK, ("app",))
    readings.gone |= {TASK, "app"}
    await anyio.sleep(2)
    assert sampler.watched() == 0
    assert (await sampler.pairs(TASK, ("app",)))["app"] is None


@pytest.mark.anyio
async def test_many_who_ask_at_once_wait_for_the_same(sampler: Sampler, readings: Readings) -> None:
    """A task is read once a second, however many ask."""
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(sampler.pairs, TASK, ("app",))
    assert len(readings.reads) == 2
