"""What a registry may send: what it has declared, and what the disk takes."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tidegate.node.image.budget import DiskRoom, Limits
from tidegate.node.image.images import ImageCorrupt, ImageNoSpace
from tidegate.node.image.manifest import Descriptor, Manifest
from tidegate.node.image.pullbudget import SLACK_BYTES, PullBudget

MIB = 1 << 20


class Room(DiskRoom):
    """A disk with so much left."""

    def __init__(self, left_bytes: int) -> None:
        super().__init__(Path("/disk"), 0)
        self.left = left_bytes

    def left_bytes(self) -> int:
        return self.left


def manifest(*sizes: int) -> Manifest:
    layers = tuple(Descriptor(digest=f"sha256:{number}", size=size) for number, size in enumerate(sizes))
    return Manifest(schema_version=2, config=Descriptor(digest="sha256:c", size=2), layers=layers)


def test_what_does_not_fit_is_not_begun():
    """Only what is not here yet counts; the reason has the figures."""
    budget = PullBudget(Limits(), Room(100 * MIB))
    budget.check_manifest(manifest(60 * MIB, 40 * MIB), lambda _: False)
    budget.check_manifest(manifest(60 * MIB, 90 * MIB), lambda digest: digest == "sha256:1")
    with pytest.raises(ImageNoSpace, match="take 150 MiB packed, 100 MiB are left for images: no space left on device"):
        budget.check_manifest(manifest(60 * MIB, 90 * MIB), lambda _: False)


def test_what_no_task_could_run_is_not_begun():
    """Whatever the disk holds."""
    budget = PullBudget(Limits(image_bytes=100 * MIB), Room(1 << 50))
    with pytest.raises(ImageNoSpace, match="take 120 MiB packed, more than the largest disk of a task"):
        budget.check_manifest(manifest(60 * MIB, 60 * MIB), lambda _: True)


def test_a_registry_that_sends_more_than_it_has_declared():
    """Is cut off; a little more is allowed for what is not declared."""
    budget = PullBudget(Limits(), Room(MIB))
    budget.check_progress(10 * MIB, 10 * MIB + SLACK_BYTES)
    with pytest.raises(ImageCorrupt, match="has sent 94 MiB of layers that are 10 MiB by the manifest"):
        budget.check_progress(10 * MIB, 30 * MIB + SLACK_BYTES)


def test_a_disk_that_fills_up_meanwhile():
    """Others may be filling it."""
    with pytest.raises(OSError) as full:
        PullBudget(Limits(), Room(0)).check_progress(10 * MIB, MIB)
    assert full.value.errno == errno.ENOSPC


def test_the_reserve(tmp_path: Path):
    """Is no room for images."""
    room = DiskRoom(tmp_path, 0)
    assert room.left_bytes() > 0
    room.check()
    assert DiskRoom(tmp_path, 1 << 60).left_bytes() == 0
