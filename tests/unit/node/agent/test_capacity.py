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


class Disk:
    """A disk that says what it is told."""

    def __init__(self, size_gib: int | None, pressure: str = "") -> None:
        self._size_gib, self._pressure = size_gib, pressure

    def pressure(self) -> str:
        return self._pressure

    def size_gib(self) -> int | None:
        return self._size_gib


def test_a_full_disk_closes_the_door():
    """Where tasks could write nothing, none is taken, and the reason is told."""
    capacity = Capacity("local", memory=lambda: Memory(8000, 7900), storage=Disk(0, "the disk is nearly full"))
    assert (capacity.node([]).schedulable, capacity.node([]).reason) == (False, "the disk is nearly full")


def test_disks_are_reserved_by_strict_capacity_alone():
    """Then what tasks declare is taken from what the disk can hold; else only what is really written counts."""
    tasks = [task_spec(), task_spec(ephemeral_storage_gib=50)]
    strict = Capacity("local", is_strict=True, memory=lambda: Memory(8000, 7900), storage=Disk(100)).node(tasks)
    assert (strict.free_storage_gib, strict.total_storage_gib) == (30, 100)
    loose = Capacity("local", memory=lambda: Memory(8000, 7900), storage=Disk(100)).node(tasks)
    assert (loose.free_storage_gib, loose.total_storage_gib) == (None, None)
    unlimited = Capacity("local", is_strict=True, memory=lambda: Memory(8000, 7900), storage=Disk(None)).node(tasks)
    assert unlimited.free_storage_gib is None
