"""What containers have used: made-up control files of both versions, and this host's."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.model.counters import IoCount
from tidegate.node.runtime.cgroup.cgroups import Cgroups, Limits
from tidegate.node.runtime.cgroup.counting import count_v1, count_v2
from tidegate.node.runtime.cgroup.probe import find_cgroups
from tidegate.node.runtime.counters import CounterReader, read_host_cpu, read_interfaces

MIB = 1 << 20
V1 = {
    "cpuacct.usage": "360968065\n",
    "cpuacct.usage_user": "290000000\n",
    "cpuacct.usage_sys": "40000000\n",
    "cpuacct.usage_percpu": "182359190 178608875 \n",
    "cpu.stat": "nr_periods 12\nnr_throttled 3\nthrottled_time 4500\n",
    "memory.usage_in_bytes": "1806336\n",
    "memory.max_usage_in_bytes": "6299648\n",
    "memory.failcnt": "2\n",
    "memory.stat": "cache 8192\nrss 557056\nhierarchical_memory_limit 536870912\n",
    "pids.current": "4\n",
    "blkio.throttle.io_service_bytes_recursive": "202:1 Read 40960\n202:1 Write 0\n202:1 Total 40960\nTotal 40960\n",
    "blkio.throttle.io_serviced_recursive": "202:1 Read 7\nTotal 7\n",
}
V2 = {
    "cpu.stat": "usage_usec 360968\nuser_usec 290000\nsystem_usec 40000\n"
    "nr_periods 12\nnr_throttled 3\nthrottled_usec 4\n",
    "memory.current": "1806336\n",
    "memory.peak": "6299648\n",
    "memory.events": "low 0\nhigh 0\nmax 2\noom 0\n",
    "memory.stat": "anon 557056\nfile 8192\nkernel 65536\n",
    "pids.current": "4\n",
    "io.stat": "202:1 rbytes=40960 wbytes=0 rios=7 wios=0 dbytes=0 dios=0\n",
}


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def test_version_1_counts(tmp_path: Path) -> None:
    """Each number is where the kernel's guide says it is."""
    found = count_v1(*[write(tmp_path, V1)] * 5)
    assert (found.cpu_nanoseconds, found.cpu_user_nanoseconds, found.cpu_kernel_nanoseconds) == (
        360_968_065,
        290_000_000,
        40_000_000,
    )
    assert found.cpu_nanoseconds_by_core == (182_359_190, 178_608_875)
    assert (found.periods, found.throttled_periods, found.throttled_nanoseconds) == (12, 3, 4500)
    assert (found.memory_bytes, found.memory_peak_bytes, found.memory_failures) == (1_806_336, 6_299_648, 2)
    assert (found.memory_limit_bytes, found.memory["rss"], found.memory["cache"]) == (512 * MIB, 557_056, 8192)
    assert found.pids == 4
    assert found.io_bytes[0] == IoCount(202, 1, "Read", 40_960)
    assert [count.operation for count in found.io_bytes] == ["Read", "Write", "Total"]
    assert found.io_operations == (IoCount(202, 1, "Read", 7),)


def test_version_2_counts_the_same(tmp_path: Path) -> None:
    """Under the names that clients of version 1 look for; what this version does not tell is left out, not invented."""
    found = count_v2(write(tmp_path, V2), 512 * MIB)
    assert (found.cpu_nanoseconds, found.cpu_nanoseconds_by_core) == (360_968_000, ())
    assert (found.periods, found.throttled_periods, found.throttled_nanoseconds) == (12, 3, 4000)
    assert (found.memory_bytes, found.memory_peak_bytes, found.memory_failures) == (1_806_336, 6_299_648, 2)
    assert (found.memory["rss"], found.memory["cache"], found.memory["kernel"]) == (557_056, 8192, 65_536)
    assert found.io_bytes == (
        IoCount(202, 1, "Read", 40_960),
        IoCount(202, 1, "Write", 0),
        IoCount(202, 1, "Discard", 0),
    )
    assert found.io_operations[0] == IoCount(202, 1, "Read", 7)


@pytest.mark.parametrize("files", [{}, dict.fromkeys({*V1, *V2}, "garbage x y\n\n:\n-1")])
def test_what_can_not_be_read_counts_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    """A kernel without a file, or with another one, is no failure."""
    write(tmp_path, files)
    for found in (count_v2(tmp_path, None), count_v1(*[tmp_path] * 5)):
        assert (found.cpu_nanoseconds, found.pids, found.io_bytes) == (0, 0, ())
        assert not found.memory_peak_bytes
        assert found.memory_limit_bytes is None


def test_interfaces_without_loopback(tmp_path: Path) -> None:
    """As proc(5) lists them; a process that has ended has none."""
    (tmp_path / "7/net").mkdir(parents=True)
    (tmp_path / "7/net/dev").write_text(
        "Inter-|   Receive   |  Transmit\n face |bytes packets\n"
        "    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"
        "  eth0:      84       2    1    3    0     0          0         0       48       5    6    7    0     0 0 0\n"
    )
    (name, found), *others = read_interfaces(7, tmp_path).items()
    assert (name, others) == ("eth0", [])
    assert (found.rx_bytes, found.rx_packets, found.rx_errors, found.rx_dropped) == (84, 2, 1, 3)
    assert (found.tx_bytes, found.tx_packets, found.tx_errors, found.tx_dropped) == (48, 5, 6, 7)
    assert read_interfaces(8, tmp_path) == {}


def test_host_cpu_is_all_time_of_all_cores(tmp_path: Path) -> None:
    """Idle time too, guests' not twice."""
    (tmp_path / "stat").write_text("cpu  1 2 3 4 5 6 7 8 100 100\ncpu0 1 2 3 4 5 6 7 8 100 100\n")
    assert read_host_cpu(tmp_path) == 36 * 10_000_000


@pytest.fixture
def cgroups() -> Cgroups:
    return find_cgroups()


@pytest.fixture
def group(cgroups: Cgroups) -> Iterator[str]:
    """A group of this host with a process that keeps a core busy and holds a megabyte."""
    path = f"/tidegate-test-{uuid.uuid4().hex[:8]}"
    cgroups.create(path, Limits(memory_mib=64, pids=50))
    names = ("cpu", "cpuacct", "memory", "pids", "blkio", "")
    roots = [Path("/sys/fs/cgroup") / name for name in names]
    for root in roots:
        (root / path[1:]).mkdir(exist_ok=True) if (root / "cgroup.procs").exists() else None
    files = [root / path[1:] / "cgroup.procs" for root in roots if (root / path[1:] / "cgroup.procs").exists()]
    enter = "; ".join(f"echo $$ >{file}" for file in files)
    busy = subprocess.Popen(["sh", "-c", f"{enter}; exec dd if=/dev/zero of=/dev/null bs=1M"])
    try:
        yield path
    finally:
        busy.kill()
        busy.wait()
        deadline = time.monotonic() + 5
        while not cgroups.rmdir(path) and time.monotonic() < deadline:
            time.sleep(0.01)
        for root in roots:
            if (root / path[1:]).is_dir():
                (root / path[1:]).rmdir()


@pytest.mark.host
def test_this_hosts_counters_grow(cgroups: Cgroups, group: str) -> None:
    """A busy process is counted, in about the time that passes, within its limits and beside its neighbours."""
    reader = CounterReader(cgroups, lambda task, container: f"/{task}{container}", time.time)
    task = group[1:]
    deadline = time.monotonic() + 20
    while (found := reader.read(task, "")) is None or found.group.cpu_nanoseconds < 50_000_000:
        assert time.monotonic() < deadline
    assert found.group.pids == 1
    assert 0 < found.group.memory_bytes <= 64 * MIB
    assert found.group.memory_limit_bytes == 64 * MIB
    assert found.group.cpu_nanoseconds < found.host_cpu_nanoseconds
    later = reader.read(task, "")
    assert later is not None
    assert later.group.cpu_nanoseconds >= found.group.cpu_nanoseconds
    assert reader.read("tidegate-test-none", "") is None
