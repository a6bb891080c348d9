"""
Task sizes: the units that `cpu` and `memory` may be written in, and the pairs that Fargate sells.

Source: Amazon ECS Developer Guide, "Task definition parameters for Fargate" (task size).
"""

from __future__ import annotations

import re
from decimal import Decimal

from tidegate.api import ecs

OFFERS_32_VCPU = True
"""AWS's documents disagree about the 32 vCPU row: newer pages have it, older ones and some regions refuse it."""

MIN_EC2_CPU_UNITS = 128
MAX_EC2_CPU_UNITS = 196_608

_GIB = 1024
_NUMBER = r"(?P<number>[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_CPU = re.compile(rf"\s*{_NUMBER}\s*(?P<unit>vcpu)?\s*", re.IGNORECASE | re.ASCII)
_MEMORY = re.compile(rf"\s*{_NUMBER}\s*(?P<unit>gb)?\s*", re.IGNORECASE | re.ASCII)

_WINDOWS_MIN_CPU = 1024
_WINDOWS_MAX_CPU = 4096


def _steps(first_gib: int, last_gib: int, step_gib: int = 1) -> frozenset[int]:
    return frozenset(range(first_gib * _GIB, last_gib * _GIB + 1, step_gib * _GIB))


FARGATE_SIZES: dict[int, frozenset[int]] = {
    256: frozenset({512, 1024, 2048}),
    512: _steps(1, 4),
    1024: _steps(2, 8),
    2048: _steps(4, 16),
    4096: _steps(8, 30),
    8192: _steps(16, 60, 4),
    16384: _steps(32, 120, 8),
    32768: frozenset({60 * _GIB, 120 * _GIB, 244 * _GIB}),
}
"""MiB of memory that go with each number of CPU units."""


def parse_cpu(text: str) -> int:
    """CPU units (1024 = one vCPU) from `1024`, `1 vCPU`, `.25 vcpu`; raises ClientException."""
    return _whole(_CPU.fullmatch(text), "cpu")


def parse_memory(text: str) -> int:
    """MiB from `1024`, `1GB`, `.5 gb`; raises ClientException."""
    return _whole(_MEMORY.fullmatch(text), "memory")


def check_fargate_size(cpu: str | None, memory: str | None, *, windows: bool = False) -> None:
    """Refuse a task size that Fargate does not have. Both are in units and MiB, as normalised."""
    for name, value in (("cpu", cpu), ("memory", memory)):
        if value is None:
            raise ecs.ClientException(f"Fargate requires that '{name}' be defined at the task level.")
    assert cpu is not None
    assert memory is not None
    if not is_fargate_size(int(cpu), int(memory), windows=windows):
        raise ecs.ClientException(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )


def is_fargate_size(cpu_units: int, memory_mib: int, *, windows: bool = False) -> bool:
    """Whether Fargate sells this pair."""
    if cpu_units == 32768 and not OFFERS_32_VCPU:
        return False
    if windows and not _WINDOWS_MIN_CPU <= cpu_units <= _WINDOWS_MAX_CPU:
        return False
    return memory_mib in FARGATE_SIZES.get(cpu_units, frozenset())


def check_ec2_size(cpu: str | None) -> None:
    """Refuse a task-level `cpu` that no container instance can have."""
    if cpu is not None and not MIN_EC2_CPU_UNITS <= int(cpu) <= MAX_EC2_CPU_UNITS:
        raise ecs.ClientException("Invalid 'cpu' setting for task.")


def _whole(match: re.Match[str] | None, name: str) -> int:
    if match is not None and (match["unit"] or "." not in match["number"]):
        value = Decimal(match["number"]) * (1024 if match["unit"] else 1)
        if value == value.to_integral_value() and value > 0:
            return int(value)
    raise ecs.ClientException(f"Invalid '{name}' setting for task.")
