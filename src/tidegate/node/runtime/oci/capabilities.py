"""A container's capabilities: docker's default set, what the task drops and adds, as far as the host has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

KERNEL_ORDER = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""capabilities(7): the position is the bit."""

DEFAULT = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
"""What docker gives a container that asks for nothing."""


@dataclass(frozen=True, slots=True)
class PlannedCapabilities:
    """kept: in the kernel's order. unknown, unavailable: asked for, but no such thing, or not ours to give."""

    kept: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()


def plan_capabilities(
    add: Sequence[str], drop: Sequence[str], available: Collection[str] = KERNEL_ORDER
) -> PlannedCapabilities:
    """Drop first, then add, either of which may say ALL: the order of ECS. Names with or without CAP_."""
    added, dropped = ([name.upper().removeprefix("CAP_") for name in names] for names in (add, drop))
    wanted = set() if "ALL" in dropped else set(DEFAULT) - set(dropped)
    wanted |= set(KERNEL_ORDER) if "ALL" in added else set(added)
    # `ALL` means all that there are; only a capability asked for by name is missed.
    named = set(added) - {"ALL"}
    return PlannedCapabilities(
        kept=tuple(name for name in KERNEL_ORDER if name in wanted and name in available),
        unknown=tuple(sorted((named | set(dropped)) - set(KERNEL_ORDER) - {"ALL"})),
        unavailable=tuple(sorted(named & (set(KERNEL_ORDER) - set(available)))),
    )


def decode_mask(mask: int) -> frozenset[str]:
    """The names of a bit mask as /proc/PID/status shows it."""
    return frozenset(name for bit, name in enumerate(KERNEL_ORDER) if mask >> bit & 1)
