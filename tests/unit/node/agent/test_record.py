"""What is said of a task: on disk before anybody hears it, and said late rather than never."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from fakes.specs import task_spec
from tidegate.model.spec import ContainerSpec
from tidegate.model.status import LastStatus, Observation
from tidegate.node.agent.journal import Journal
from tidegate.node.agent.record import TaskRecord

pytestmark = pytest.mark.anyio


class FullDisk(Journal):
    """A journal on a disk that can be full."""

    is_full = False

    def write_observation(self, observation: Observation) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write_observation(observation)


async def test_a_full_disk_delays_what_is_said(tmp_path: Path):
    """While the journal can't be written nothing is published; then the last state is, and it is on disk."""
    seen: list[Observation] = []
    spec = task_spec(ContainerSpec(name="app", image="sim/run"))
    journal = FullDisk(tmp_path / "task")
    journal.create(spec)
    record = TaskRecord(spec, journal, seen.append, lambda: 1.0, "boot")
    journal.is_full = True
    record.say(last_status=LastStatus.ACTIVATING)
    record.say(last_status=LastStatus.RUNNING)
    assert (seen, record.is_behind) == ([], True)

    record.flush()
    assert seen == []
    journal.is_full = False
    await record.settle()
    assert [o.last_status for o in seen] == [LastStatus.RUNNING]
    assert journal.read_observation() == seen[-1]
    assert not record.is_behind
