"""The way to limit tasks' disks is found by trying."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixtures.scratch import ScratchMaker, find_makers
from tidegate.kernel.spawn import Spawner
from tidegate.node.volume import probe
from tidegate.node.volume.loop import LoopScratch
from tidegate.node.volume.probe import NoScratch, choose_scratch, try_scratch
from tidegate.node.volume.scratch import MIB, Scratch
from tidegate.node.volume.unlimited import UnlimitedScratch

pytestmark = [pytest.mark.anyio, pytest.mark.host]


@pytest.fixture
def anyio_backend() -> str:
    """Disks are real."""
    return "asyncio"


def refusing(directory: Path, is_trial: bool) -> Scratch:
    """A kind that this host hasn't got."""
    raise OSError("there is no such thing here")


async def test_the_best_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reasons against better ones are told; nothing of the trials is left."""
    monkeypatch.setattr(probe, "KINDS", {"quota": refusing, "loop": probe.KINDS["loop"]})
    found = await choose_scratch(tmp_path / "scratch")
    assert (found.scratch.kind, found.refused) == ("loop", ("quota: there is no such thing here",))
    assert os.listdir(tmp_path / "scratch") == []


async def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a trial would say nothing, it is what it was the last time; what was asked for comes first."""
    await choose_scratch(tmp_path / "scratch", "loop")
    monkeypatch.setattr(probe, "TRIAL_ROOM_BYTES", 1 << 60)
    kinds = {"quota": refusing, "loop": lambda directory, is_trial: UnlimitedScratch(directory)}
    monkeypatch.setattr(probe, "KINDS", kinds)
    assert isinstance((await choose_scratch(tmp_path / "scratch")).scratch, UnlimitedScratch)
    with pytest.raises(NoScratch, match="quota: there is no such thing here"):
        await choose_scratch(tmp_path / "scratch", "quota")
    with pytest.raises(NoScratch, match="more can be written"):
        await choose_scratch(tmp_path / "another", "loop")


async def test_nothing_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is limited, unless a limit was asked for."""
    monkeypatch.setattr(probe, "KINDS", {"quota": refusing, "loop": refusing})
    found = await choose_scratch(tmp_path / "scratch")
    assert (found.scratch.kind, len(found.refused)) == ("unlimited", 2)
    with pytest.raises(NoScratch, match="cannot limit the disks of tasks by loop: there is no such thing here"):
        await choose_scratch(tmp_path / "scratch", "loop")
    assert (await choose_scratch(tmp_path / "scratch", "unlimited")).scratch.kind == "unlimited"


async def test_a_limit_that_does_not_hold(tmp_path: Path) -> None:
    """Is none: what can be written to is filled before it is believed."""
    with pytest.raises(OSError, match="more can be written to it than it should hold"):
        await try_scratch(UnlimitedScratch(tmp_path / "scratch"))
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("maker", find_makers(), ids=lambda maker: maker.name)
async def test_each_kind(maker: ScratchMaker, tmp_path: Path) -> None:
    """Works where it can, and leaves nothing."""
    if maker.name == "unlimited":
        return
    with maker.place(tmp_path) as directory:
        await try_scratch(maker.make(directory))
        assert not directory.exists()


async def test_what_a_killed_server_had_tried(tmp_path: Path) -> None:
    """Goes at the next start, mounted or not."""
    left = LoopScratch(tmp_path / "scratch/.trial-1", Spawner(), warm=0)
    async with left.open():
        await left.ensure("trial", 8 * MIB)
    (tmp_path / "scratch/.template-1").touch()
    await choose_scratch(tmp_path / "scratch")
    assert os.listdir(tmp_path / "scratch") == []
