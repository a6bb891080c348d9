"""What a container has used since it was made, as the kernel counts it."""

from __future__ import annotations

import msgspec


class IoCount(msgspec.Struct, frozen=True):
    """Bytes or operations of one kind on one block device. operation: Read, Write, Discard ..."""

    major: int
    minor: int
    operation: str
    value: int


class InterfaceCount(msgspec.Struct, frozen=True, kw_only=True):
    """What went through a network interface."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


class GroupCounters(msgspec.Struct, frozen=True, kw_only=True):
    """What a control group counts, of itself and all below it."""

    cpu_nanoseconds: int
    cpu_user_nanoseconds: int
    cpu_kernel_nanoseconds: int
    cpu_nanoseconds_by_core: tuple[int, ...] = ()
    """Empty where the kernel does not tell (control groups version 2)."""
    periods: int
    """Of the CPU quota, those in which something ran."""
    throttled_periods: int
    throttled_nanoseconds: int
    memory_bytes: int
    """With the page cache."""
    memory_peak_bytes: int | None
    """None where the kernel does not tell."""
    memory_failures: int
    """How often the limit was hit."""
    memory_limit_bytes: int | None
    memory: dict[str, int]
    """memory.stat as it is, with `rss` (anonymous memory) and `cache` (of files) in both versions."""
    pids: int
    io_bytes: tuple[IoCount, ...] = ()
    io_operations: tuple[IoCount, ...] = ()


class ContainerCounters(msgspec.Struct, frozen=True, kw_only=True):
    """All of them at one moment, with what they are compared to."""

    read_at: float
    group: GroupCounters
    host_cpu_nanoseconds: int
    """Of all cores together, idle time too, since the host started."""
    cores: int
    host_memory_bytes: int
    interfaces: dict[str, InterfaceCount]
    """By name, without loopback: those of the network namespace, which the task's containers share."""
