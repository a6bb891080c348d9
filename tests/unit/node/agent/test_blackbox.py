"""Black boxes on the disk: private, bounded, whole, and kept for as long as they should be."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tidegate.model.blackbox import BlackBox, Memory, Probe
from tidegate.model.counters import GroupCounters
from tidegate.node.agent.blackbox import BlackBoxes, ContainerTraces, Measured, collect
from tidegate.node.agent.recorder import Recorder

TIME = "2026-03-01T12:00:00.500000000+00:00"


def box(task: str, **more: object) -> BlackBox:
    return BlackBox(task=task, at=1.0, **more)  # type: ignore[arg-type]


def age(path: Path) -> None:
    """It was written long ago."""
    os.utime(path, (0, time.time() - 3600))


def test_there_and_back(tmp_path: Path):
    """What is written is read, by nobody but the owner."""
    boxes = BlackBoxes(tmp_path / "boxes")
    assert boxes.read("t") is None
    boxes.write(box("t", memory=Memory(peak_bytes=7)))
    assert boxes.read("t") == box("t", memory=Memory(peak_bytes=7))
    assert (tmp_path / "boxes").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "boxes/t.json").stat().st_mode & 0o777 == 0o600


def test_the_first_one_stays(tmp_path: Path):
    """What a later process of ours could still find out about the same end is less: it changes nothing."""
    boxes = BlackBoxes(tmp_path)
    boxes.write(box("t", cpu_seconds=3.0))
    boxes.write(box("t"))
    assert boxes.read("t") == box("t", cpu_seconds=3.0)


def test_retain(tmp_path: Path):
    """Boxes of tasks that are not kept any more go; a young one may belong to a task that came later."""
    boxes = BlackBoxes(tmp_path)
    for name in ("kept", "old", "young"):
        boxes.write(box(name))
    age(tmp_path / "kept.json")
    age(tmp_path / "old.json")
    boxes.retain({"kept"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept.json", "young.json"]


def test_a_crash_in_the_middle(tmp_path: Path):
    """Half a box is none, and goes with the old ones."""
    boxes = BlackBoxes(tmp_path)
    boxes.write(box("t"))
    (tmp_path / "t.json").write_text('{"task": "t", "at"')
    (tmp_path / "u.new").write_text("{")
    assert boxes.read("t") is None
    age(tmp_path / "u.new")
    boxes.retain({"t"})
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_there_is_an_end_to_them(tmp_path: Path):
    """When there are too many the oldest go, a tenth at once."""
    boxes = BlackBoxes(tmp_path, most=20)
    for number in range(21):
        boxes.write(box(str(number)))
        os.utime(tmp_path / f"{number}.json", (number, number))
    left = {int(p.stem) for p in tmp_path.iterdir()}
    assert len(left) == 18
    assert min(left) == 3


def test_a_disk_that_takes_nothing(tmp_path: Path):
    """What can't be written is lost, and nothing else happens."""
    (tmp_path / "boxes").write_text("in the way")
    boxes = BlackBoxes(tmp_path / "boxes")
    boxes.write(box("t"))
    assert boxes.read("t") is None


def counters(**more: object) -> GroupCounters:
    values: dict[str, object] = {
        "cpu_nanoseconds": 1_500_000_000,
        "cpu_user_nanoseconds": 0,
        "cpu_kernel_nanoseconds": 0,
        "periods": 0,
        "throttled_periods": 0,
        "throttled_nanoseconds": 0,
        "memory_bytes": 1,
        "memory_peak_bytes": 9 << 20,
        "memory_failures": 4,
        "memory_limit_bytes": 10 << 20,
        "memory": {},
        "pids": 1,
        **more,
    }
    return GroupCounters(**values)  # type: ignore[arg-type]


def test_what_it_is_made_of(tmp_path: Path):
    """Output, files, memory, CPU time, health checks and the disk, from their traces."""
    (tmp_path / "log").write_text(f"{TIME} stderr F oh no\n")
    (tmp_path / "upper/etc").mkdir(parents=True)
    (tmp_path / "upper/etc/new").write_text("x" * 100)
    traces = ContainerTraces(
        name="web",
        log=tmp_path / "log",
        upper=tmp_path / "upper",
        probes=(Probe(at=1.0, code=1, output="no"),),
        measured=Measured(counters(), kills=2),
    )
    found = collect("t", 5.0, Measured(counters()), [traces], is_final=True)
    (container,) = found.containers
    assert [line.text for line in container.log] == ["oh no"]
    assert [(f.path, f.change, f.size_bytes) for f in container.changed if f.size_bytes] == [("/etc/new", "added", 100)]
    assert container.memory == Memory(peak_bytes=9 << 20, limit_bytes=10 << 20, limit_hits=4, kills=2)
    assert container.cpu_seconds == 1.5
    assert container.probes[0].output == "no"
    assert found.disk_size_bytes
    assert found.is_final


def test_mount_points_are_no_changes(tmp_path: Path):
    """What was made for something to be mounted there is not the container's doing; what it wrote there, is."""
    upper = tmp_path / "upper"
    for directory in ("etc", "proc", "data/volume", "srv"):
        (upper / directory).mkdir(parents=True)
    for name in ("etc/hosts", "etc/hostname", "etc/empty"):
        (upper / name).touch()
    (upper / "etc/resolv.conf").write_text("nameserver 1.1.1.1\n")
    traces = ContainerTraces(name="web", log=tmp_path / "log", upper=upper, mounted=frozenset({"/data/volume/"}))
    (container,) = collect("t", 5.0, Measured(), [traces], is_final=True).containers
    assert sorted(file.path for file in container.changed) == ["/etc/empty", "/etc/resolv.conf", "/srv"]


def test_a_container_that_never_was(tmp_path: Path):
    """Without traces the box is empty."""
    traces = ContainerTraces(name="web", log=tmp_path / "log", upper=tmp_path / "upper")
    found = collect("t", 5.0, Measured(), [traces], is_final=True)
    assert found.containers[0].log == ()
    assert found.memory == Memory()


@pytest.mark.anyio
async def test_traces_that_can_not_be_read_end_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A mistake of ours in reading them is logged, and is no more than a box that is missing."""

    def fail(*_: object, **__: object) -> BlackBox:
        raise ValueError

    monkeypatch.setattr("tidegate.node.agent.recorder.collect", fail)
    recorder = Recorder(BlackBoxes(tmp_path))
    await recorder.keep("t", 1.0, Measured(), [])
    assert await recorder.read("t") is None
