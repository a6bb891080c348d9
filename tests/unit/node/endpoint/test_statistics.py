"""Statistics as Docker Engine has them, and the two readings that they are made from."""

from __future__ import annotations

import anyio
import pytest

from fakes.endpoint import TASK, counters
from tidegate.model.counters import ContainerCounters
from tidegate.node.endpoint.sampling import STALE_SECONDS, Sampler
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
    """Counts who is read when, on the event loop's clock. used: what each container has, in nanoseconds."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, float]] = []
        self.gone: set[str] = set()
        self.used = 0

    def read(self, task: str, container: str) -> ContainerCounters | None:
        self.reads.append((container, anyio.current_time()))
        if container in self.gone:
            return None
        return counters(anyio.current_time(), group={"cpu_nanoseconds": self.used})


@pytest.fixture
def readings() -> Readings:
    return Readings()


@pytest.fixture
def sampler(readings: Readings) -> Sampler:
    return Sampler(readings, lambda task: task not in readings.gone)


@pytest.mark.anyio
async def test_the_first_to_ask_waits_for_a_second(sampler: Sampler, readings: Readings) -> None:
    """Two readings, a second apart; whoever asks within the next second is told the same, at once."""
    began = anyio.current_time()
    pair = (await sampler.pairs(TASK, ("app",)))["app"]
    assert pair is not None
    assert (pair[0].read_at, pair[1].read_at) == (began, began + 1)
    await anyio.sleep(0.9)
    asked = anyio.current_time()
    assert (await sampler.pairs(TASK, ("app",)))["app"] == pair
    assert anyio.current_time() == asked
    assert len(readings.reads) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("pause", [1.0, 15.0, STALE_SECONDS])
async def test_whoever_asks_regularly_is_told_of_the_time_since(sampler: Sampler, pause: float) -> None:
    """At once, with one more reading; of a task that nobody asks about none is taken."""
    await sampler.pairs(TASK, ("app",))
    await anyio.sleep(pause)
    asked = anyio.current_time()
    pair = (await sampler.pairs(TASK, ("app",)))["app"]
    assert anyio.current_time() == asked
    assert pair is not None
    assert (pair[0].read_at, pair[1].read_at) == (asked - pause, asked)


@pytest.mark.anyio
async def test_after_a_while_it_begins_anew(sampler: Sampler, readings: Readings) -> None:
    """What was read long ago says nothing of now."""
    await sampler.pairs(TASK, ("app",))
    await anyio.sleep(STALE_SECONDS + 1)
    assert len(readings.reads) == 2
    asked = anyio.current_time()
    pair = (await sampler.pairs(TASK, ("app",)))["app"]
    assert pair is not None
    assert (pair[0].read_at, pair[1].read_at) == (asked, asked + 1)


@pytest.mark.anyio
async def test_a_container_that_does_not_run_has_none(sampler: Sampler, readings: Readings) -> None:
    """One that has ended; one that has come since the last question is waited for, as the first was."""
    readings.gone.add("init")
    pairs = await sampler.pairs(TASK, ("init", "app"))
    assert pairs["init"] is None
    assert pairs["app"] is not None
    readings.gone = {"app"}
    await anyio.sleep(15)
    asked = anyio.current_time()
    pairs = await sampler.pairs(TASK, ("init", "app"))
    assert pairs["app"] is None
    assert pairs["init"] is not None
    assert anyio.current_time() == asked + 1


@pytest.mark.anyio
async def test_a_container_that_was_started_again_begins_anew(sampler: Sampler, readings: Readings) -> None:
    """Its counters begin at nothing: there is no rate between them and those of its life before."""
    readings.used = 5000
    await sampler.pairs(TASK, ("app",))
    readings.used = 100
    await anyio.sleep(10)
    asked = anyio.current_time()
    pair = (await sampler.pairs(TASK, ("app",)))["app"]
    assert pair is not None
    assert (pair[0].read_at, pair[1].read_at) == (asked, asked + 1)


@pytest.mark.anyio
async def test_tasks_that_have_gone_are_forgotten(sampler: Sampler, readings: Readings) -> None:
    """When somebody asks about another one."""
    for number in range(10):
        await sampler.pairs(str(number), ("app",))
        readings.gone.add(str(number))
    assert sampler.watched() == 1


@pytest.mark.anyio
async def test_many_who_ask_at_once_wait_for_the_same(sampler: Sampler, readings: Readings) -> None:
    """A task is read once a second, however many ask."""
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(sampler.pairs, TASK, ("app",))
    assert len(readings.reads) == 2
