"""What a machine has left for tasks."""

from __future__ import annotations

from pathlib import Path

from fakes.specs import task_spec
from tidegate.model.status import Node
from tidegate.node.agent.capacity import ALLOWANCE_MIB, Capacity, Memory, default_reserve_mib, read_memory


def node(memory: Memory, *, is_strict: bool = False, tasks: int = 0, starting: int = 0) -> Node:
    capacity = Capacity("local", reserve_mib=1000, is_strict=is_strict, memory=lambda: memory, cores=2)
    return capacity.node([task_spec() for _ in range(tasks)], starting)


def test_what_is_really_free_counts():
    """Ten tasks that declare 512 MiB each and use next to nothing leave almost all of the machine to others."""
    found = node(Memory(8000, 7900), tasks=10)

    assert found.free_memory_mib == 6900
    assert found.task_memory_mib == ALLOWANCE_MIB


def test_tasks_that_start_are_expected_to_grow():
    """A burst of tasks that have not used their memory yet does not hide what is coming."""
    assert node(Memory(8000, 7900), starting=100).free_memory_mib == 6900 - 100 * ALLOWANCE_MIB


def test_strict_reserves_what_tasks_declare():
    """With --strict-capacity declared CPU and memory are taken, whatever is used."""
    found = node(Memory(8000, 7900), is_strict=True, tasks=2)

    assert (found.free_memory_mib, found.free_cpu_units) == (7000 - 2 * 512, 2048 - 2 * 256)
    assert found.task_memory_mib == 0


def test_pressure_closes_the_door():
    """A host that stalls on memory takes no more tasks, and says so."""
    found = node(Memory(8000, 7900, pressure_percent=45.5))

    assert not found.schedulable
    assert found.reason == "memory pressure is 45.5 %"


def test_reads_the_host(tmp_path: Path):
    """Memory and pressure come from /proc; a kernel without pressure information has none."""
    (tmp_path / "meminfo").write_text("MemTotal: 2048000 kB\nMemFree: 1 kB\nMemAvailable: 1024000 kB\n")
    assert read_memory(tmp_path) == Memory(2000, 1000)

    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure/memory").write_text("some avg10=3.50 avg60=0 avg300=0 total=1\nfull avg10=1 avg60=0\n")
    assert read_memory(tmp_path).pressure_percent == 3.5


def test_reserve():
    """A twentieth of the machine is the host's, within bounds."""
    assert [default_reserve_mib(mib) for mib in (1000, 16_000, 100_000)] == [256, 800, 2048]
