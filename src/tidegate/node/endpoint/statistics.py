"""
A container's statistics as Docker Engine has them, with ECS's network rates: pure, from two readings.

Source: Docker Engine API, ContainerStats; Amazon ECS Developer Guide, Task metadata endpoint version 4.
"""

from __future__ import annotations

from typing import Any

from tidegate.model.counters import ContainerCounters, GroupCounters, InterfaceCount, IoCount
from tidegate.node.endpoint.metadata import render_time

_NO_BLKIO = (
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)
"""What only a scheduler of disks that the kernel no longer has would tell."""


def render_statistics(
    name: str, runtime_id: str, before: ContainerCounters, after: ContainerCounters
) -> dict[str, Any]:
    """The answer to /stats."""
    return {
        "read": render_time(after.read_at),
        "preread": render_time(before.read_at),
        "pids_stats": {"current": after.group.pids},
        "blkio_stats": {
            "io_service_bytes_recursive": [_io(count) for count in after.group.io_bytes],
            "io_serviced_recursive": [_io(count) for count in after.group.io_operations],
            **{name: [] for name in _NO_BLKIO},
        },
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(after),
        "precpu_stats": _cpu(before),
        "memory_stats": _memory(after),
        "name": name,
        "id": runtime_id,
        "networks": {interface: _interface(count) for interface, count in after.interfaces.items()},
        "network_rate_stats": _rates(before, after),
    }


def _cpu(counters: ContainerCounters) -> dict[str, Any]:
    group = counters.group
    usage: dict[str, Any] = {"total_usage": group.cpu_nanoseconds}
    if group.cpu_nanoseconds_by_core:
        usage["percpu_usage"] = list(group.cpu_nanoseconds_by_core)
    usage["usage_in_kernelmode"] = group.cpu_kernel_nanoseconds
    usage["usage_in_usermode"] = group.cpu_user_nanoseconds
    return {
        "cpu_usage": usage,
        "system_cpu_usage": counters.host_cpu_nanoseconds,
        "online_cpus": counters.cores,
        "throttling_data": {
            "periods": group.periods,
            "throttled_periods": group.throttled_periods,
            "throttled_time": group.throttled_nanoseconds,
        },
    }


def _memory(counters: ContainerCounters) -> dict[str, Any]:
    group = counters.group
    answer: dict[str, Any] = {"usage": group.memory_bytes}
    if group.memory_peak_bytes is not None:
        answer["max_usage"] = group.memory_peak_bytes
    answer["stats"] = group.memory
    if group.memory_failures:
        answer["failcnt"] = group.memory_failures
    return answer | {"limit": _limit(group, counters.host_memory_bytes)}


def _limit(group: GroupCounters, host_bytes: int) -> int:
    return host_bytes if group.memory_limit_bytes is None else min(group.memory_limit_bytes, host_bytes)


def _io(count: IoCount) -> dict[str, Any]:
    return {"major": count.major, "minor": count.minor, "op": count.operation, "value": count.value}


def _interface(count: InterfaceCount) -> dict[str, int]:
    return {name: getattr(count, name) for name in InterfaceCount.__struct_fields__}


def _rates(before: ContainerCounters, after: ContainerCounters) -> dict[str, float]:
    """Bytes per second, of all interfaces, between the two readings."""
    seconds = after.read_at - before.read_at
    rates = {}
    for side in ("rx", "tx"):
        grown = _bytes(after, side) - _bytes(before, side)
        rates[f"{side}_bytes_per_sec"] = round(max(0, grown) / seconds, 3) if seconds > 0 else 0.0
    return rates


def _bytes(counters: ContainerCounters, side: str) -> int:
    total: int = sum(getattr(count, f"{side}_bytes") for count in counters.interfaces.values())
    return total
