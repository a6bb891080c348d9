"""
How the control files of both versions count: from their text to numbers.

Sources: the kernel's guides to control groups, version 1 and version 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tidegate.model.counters import GroupCounters, IoCount
from tidegate.node.runtime.cgroup.cgroups import read_number, read_table, read_text

UNLIMITED_BYTES = 1 << 60
"""Version 1 says `no limit` as a number near 2**63."""
_V2_IO = {"rbytes": "Read", "wbytes": "Write", "dbytes": "Discard"}
_V2_OPERATIONS = {"rios": "Read", "wios": "Write", "dios": "Discard"}


def count_v1(cpu: Path, accounting: Path, memory: Path, pids: Path, blkio: Path | None) -> GroupCounters:
    """From the group's directories in each hierarchy."""
    throttling = read_table(cpu / "cpu.stat")
    stat = read_table(memory / "memory.stat")
    limit = stat.get("hierarchical_memory_limit", UNLIMITED_BYTES)
    return GroupCounters(
        cpu_nanoseconds=read_number(accounting / "cpuacct.usage"),
        cpu_user_nanoseconds=read_number(accounting / "cpuacct.usage_user"),
        cpu_kernel_nanoseconds=read_number(accounting / "cpuacct.usage_sys"),
        cpu_nanoseconds_by_core=tuple(
            int(word) for word in read_text(accounting / "cpuacct.usage_percpu").split() if word.isdigit()
        ),
        periods=throttling.get("nr_periods", 0),
        throttled_periods=throttling.get("nr_throttled", 0),
        throttled_nanoseconds=throttling.get("throttled_time", 0),
        memory_bytes=read_number(memory / "memory.usage_in_bytes"),
        memory_peak_bytes=read_number(memory / "memory.max_usage_in_bytes"),
        memory_failures=read_number(memory / "memory.failcnt"),
        memory_limit_bytes=limit if limit < UNLIMITED_BYTES else None,
        memory=stat,
        pids=read_number(pids / "pids.current"),
        io_bytes=_io_v1(blkio, "blkio.throttle.io_service_bytes_recursive"),
        io_operations=_io_v1(blkio, "blkio.throttle.io_serviced_recursive"),
    )


def count_v2(directory: Path, memory_limit_bytes: int | None) -> GroupCounters:
    """From the group's directory."""
    cpu = read_table(directory / "cpu.stat")
    stat = read_table(directory / "memory.stat")
    devices = _parse_io_v2(read_text(directory / "io.stat"))
    return GroupCounters(
        cpu_nanoseconds=cpu.get("usage_usec", 0) * 1000,
        cpu_user_nanoseconds=cpu.get("user_usec", 0) * 1000,
        cpu_kernel_nanoseconds=cpu.get("system_usec", 0) * 1000,
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_nanoseconds=cpu.get("throttled_usec", 0) * 1000,
        memory_bytes=read_number(directory / "memory.current"),
        memory_peak_bytes=read_number(directory / "memory.peak") or None,  # Linux 5.19
        memory_failures=read_table(directory / "memory.events").get("max", 0),
        memory_limit_bytes=memory_limit_bytes,
        memory={**stat, "rss": stat.get("anon", 0), "cache": stat.get("file", 0)},
        pids=read_number(directory / "pids.current"),
        io_bytes=_io_v2(devices, _V2_IO),
        io_operations=_io_v2(devices, _V2_OPERATIONS),
    )


def _io_v1(directory: Path | None, name: str) -> tuple[IoCount, ...]:
    """Lines of `8:0 Read 4096`, and `Total 4096` at the end."""
    if directory is None:
        return ()
    rows = (line.split() for line in read_text(directory / name).splitlines())
    return tuple(
        IoCount(*device, row[1], int(row[2]))
        for row in rows
        if len(row) == 3 and (device := _device(row[0])) is not None and row[2].isdigit()
    )


def _parse_io_v2(text: str) -> dict[tuple[int, int], dict[str, int]]:
    """Lines of `8:0 rbytes=4096 wbytes=0 rios=1 ...`."""
    found = {}
    for line in text.splitlines():
        device, *pairs = line.split() or [""]
        numbers = _device(device)
        if numbers is not None:
            found[numbers] = {
                name: int(value) for name, _, value in (p.partition("=") for p in pairs) if value.isdigit()
            }
    return found


def _io_v2(devices: Mapping[tuple[int, int], Mapping[str, int]], names: Mapping[str, str]) -> tuple[IoCount, ...]:
    return tuple(
        IoCount(*device, operation, counts[name])
        for device, counts in devices.items()
        for name, operation in names.items()
        if name in counts
    )


def _device(text: str) -> tuple[int, int] | None:
    major, _, minor = text.partition(":")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None
