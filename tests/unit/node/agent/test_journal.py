"""A task's journal: what was said last is there after a crash at any point."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fakes.specs import task_spec
from tidegate.model.spec import ContainerSpec
from tidegate.model.status import LastStatus, Observation
from tidegate.node.agent.journal import OBSERVATIONS, OBSERVATIONS_BYTES, Journal

SPEC = task_spec(ContainerSpec(name="app", image="busybox", memory_mib=64))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "task")
    made.create(SPEC)
    return made


def observation(revision: int, reason: str = "") -> Observation:
    return Observation(task=SPEC.id, revision=revision, last_status=LastStatus.RUNNING, stopped_reason=reason)


def test_the_last_observation_counts(journal: Journal) -> None:
    """However many were said."""
    assert journal.read_observation() is None
    for revision in range(1, 6):
        journal.write_observation(observation(revision))

    assert Journal(journal.directory).read_observation() == observation(5)


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_line_that_was_cut_short_was_never_said(journal: Journal, cut: int) -> None:
    """A crash in the middle of writing leaves the observation before; and the next one is whole again."""
    journal.write_observation(observation(1))
    journal.write_observation(observation(2))
    path = journal.directory / OBSERVATIONS
    os.truncate(path, path.stat().st_size - cut)

    assert journal.read_observation() == observation(1)
    journal.write_observation(observation(3))
    assert journal.read_observation() == observation(3)


def test_nothing_but_a_piece_is_nothing(journal: Journal) -> None:
    """A crash in the very first line."""
    (journal.directory / OBSERVATIONS).write_bytes(b'{"task"')

    assert journal.read_observation() is None


def test_observations_take_bounded_room(journal: Journal) -> None:
    """A task whose health changes for years does not fill the disk."""
    path = journal.directory / OBSERVATIONS
    for revision in range(1, 200):
        journal.write_observation(observation(revision, "x" * 1000))
        assert path.stat().st_size <= OBSERVATIONS_BYTES

    assert journal.read_observation() == observation(199, "x" * 1000)


def test_a_full_disk_keeps_what_was_said(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits only in part is an error, and leaves no piece of itself."""
    journal.write_observation(observation(1))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
    with pytest.raises(OSError, match="No space left") as caught:
        journal.write_observation(observation(2))
    monkeypatch.undo()

    assert caught.value.errno == errno.ENOSPC
    assert (journal.directory / OBSERVATIONS).read_bytes().endswith(b"\n")
    assert journal.read_observation() == observation(1)


def test_what_is_retired_is_not_begun_again(journal: Journal) -> None:
    """Its name is free at once, and what is left of it after a crash has no specification."""
    home = journal.directory
    journal.write_observation(observation(1))
    journal.retire()

    assert not home.exists()
    assert journal.read_spec() is None
    journal.remove()
    assert list(home.parent.iterdir()) == []


def test_files_that_a_loss_of_power_spoilt(tmp_path: Path):
    """A file of zeros counts as missing, a spoilt last line as never written: the node opens, whatever it finds."""
    journal = Journal(tmp_path / "task")
    journal.create(task_spec(ContainerSpec(name="app", image="sim/run")))
    said = Observation(task="t", revision=1, last_status=LastStatus.RUNNING)
    journal.write_observation(said)
    with (journal.directory / "observations.json").open("ab") as file:
        file.write(b"\0\0\0\n")
    assert journal.read_observation() == said

    (journal.directory / "spec.json").write_bytes(b"\0" * 100)
    assert journal.read_spec() is None
