"""Units of task sizes, and the sizes that Fargate has."""

from __future__ import annotations

import pytest

from fakes.definitions import ec2, fargate, refusal
from tidegate.api import ecs
from tidegate.services.ecs.definitions import sizes

NO_SIZE = (
    "No Fargate configuration exists for given values: {} CPU, {} memory. "
    "See the Amazon ECS documentation for the valid values."
)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("256", 256),
        ("1024", 1024),
        ("1 vCPU", 1024),
        ("1 vcpu", 1024),
        ("1vCPU", 1024),
        (".25 vCPU", 256),
        ("0.5 VCPU", 512),
        (" 2 vCPU ", 2048),
        ("16. vcpu", 16384),
    ],
)
def test_cpu_is_read_in_units_and_vcpus(text: str, units: int) -> None:
    """1 vCPU is 1024 units, however it is written."""
    assert sizes.parse_cpu(text) == units


@pytest.mark.parametrize(
    ("text", "mib"), [("512", 512), ("1GB", 1024), ("1 GB", 1024), (".5 gb", 512), ("0.5GB", 512), ("244 Gb", 249856)]
)
def test_memory_is_read_in_mib_and_gb(text: str, mib: int) -> None:
    """1 GB is 1024 MiB, however it is written."""
    assert sizes.parse_memory(text) == mib


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "1e3", "one", "1 CPU", "vCPU", "1 v CPU", ".0001 vCPU", "٣", "9" * 400, "nan", "1\0"]
)
def test_other_texts_are_no_cpu(text: str) -> None:
    """What is not a whole positive number of units is refused with AWS's text, at once however long it is."""
    assert refusal(fargate(cpu=text)) == "Invalid 'cpu' setting for task."


@pytest.mark.parametrize("text", ["", "0", "512 MB", "1 GiB", "0.5", "1,024", "GB"])
def test_other_texts_are_no_memory(text: str) -> None:
    """MB and GiB are no units of a task's memory."""
    assert refusal(fargate(memory=text)) == "Invalid 'memory' setting for task."


def test_fargate_has_77_sizes() -> None:
    """74 of the smaller sizes and three of 32 vCPU, as the Developer Guide lists them."""
    assert {cpu: len(memory) for cpu, memory in sizes.FARGATE_SIZES.items()} == {
        256: 3,
        512: 4,
        1024: 7,
        2048: 13,
        4096: 23,
        8192: 12,
        16384: 12,
        32768: 3,
    }
    assert max(sizes.FARGATE_SIZES[4096]) == 30720
    assert max(sizes.FARGATE_SIZES[8192]) == 61440
    assert max(sizes.FARGATE_SIZES[16384]) == 122880


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [(256, 4096), (256, 768), (512, 512), (1024, 1024), (8192, 17408), (16384, 33792), (300, 1024), (4096, 31744)],
)
def test_sizes_between_are_refused(cpu: int, memory: int) -> None:
    """A pair that is not in the table is refused, with both values."""
    assert refusal(fargate(cpu=str(cpu), memory=str(memory))) == NO_SIZE.format(cpu, memory)


@pytest.mark.parametrize("missing", ["cpu", "memory"])
def test_fargate_needs_both_at_the_task_level(missing: str) -> None:
    """Fargate sells tasks by size, so a task must say its own."""
    assert refusal(fargate(**{missing: None})) == f"Fargate requires that '{missing}' be defined at the task level."


def test_the_32_vcpu_row_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS does not offer the largest size everywhere."""
    assert sizes.is_fargate_size(32768, 61440)
    monkeypatch.setattr(sizes, "OFFERS_32_VCPU", False)
    assert not sizes.is_fargate_size(32768, 61440)


def test_windows_has_three_rows() -> None:
    """Windows starts at one vCPU and ends at four."""
    assert [cpu for cpu in sizes.FARGATE_SIZES if sizes.is_fargate_size(cpu, 16384, windows=True)] == [2048, 4096]
    assert sizes.is_fargate_size(1024, 8192, windows=True)
    assert not sizes.is_fargate_size(512, 4096, windows=True)


@pytest.mark.parametrize(("cpu", "is_valid"), [("127", False), ("128", True), ("196608", True), ("196609", False)])
def test_other_launch_types_have_a_range(cpu: str, is_valid: bool) -> None:
    """0.125 to 192 vCPU."""
    if is_valid:
        sizes.check_ec2_size(cpu)
    else:
        assert refusal(ec2(cpu=cpu)) == "Invalid 'cpu' setting for task."
        with pytest.raises(ecs.ClientException):
            sizes.check_ec2_size(cpu)
