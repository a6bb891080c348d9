"""A task's disk and volumes: what is where, what counts, and what a crash leaves."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from fakes.specs import task_spec
from tidegate.model.image import Image, ImageConfig
from tidegate.model.spec import ContainerSpec, Mount, TaskSpec, VolumesFrom
from tidegate.node.volume.disks import TaskDisks
from tidegate.node.volume.efs import EfsVolumes
from tidegate.node.volume.efsmap import EfsMap
from tidegate.node.volume.guard import DiskGuard
from tidegate.node.volume.holding import Host
from tidegate.node.volume.scratch import GIB, MIB, Scratch, Space
from tidegate.node.volume.unlimited import UnlimitedScratch
from tidegate.node.volume.volumes import StorageUse, VolumeFailure

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.geteuid() != 0, reason="owners are kept, which takes root")]


@pytest.fixture
def anyio_backend() -> str:
    """Files are real."""
    return "asyncio"


class CountedScratch(UnlimitedScratch):
    """Directories that pretend to be measured."""

    kind = "loop"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.held: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.used = 0

    async def ensure(self, task: str, size_bytes: int) -> Path:
        self.sizes[task] = size_bytes
        return await super().ensure(task, size_bytes)

    def space(self, task: str) -> Space | None:
        return Space(self.sizes[task], self.used, self.used) if task in self.sizes else None

    def hold_back(self, task: str, size_bytes: int) -> None:
        self.held[task] = size_bytes


@pytest.fixture
async def scratch(tmp_path: Path) -> AsyncIterator[CountedScratch]:
    found = CountedScratch(tmp_path / "scratch")
    async with found.open():
        yield found


def make_disks(scratch: Scratch) -> TaskDisks:
    return TaskDisks(scratch, DiskGuard(scratch, lambda: PLENTY), EfsVolumes(scratch.path("mounts"), EfsMap()))


@pytest.fixture
def disks(scratch: CountedScratch) -> TaskDisks:
    return make_disks(scratch)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    for name in ("data", "cache"):
        (tmp_path / "rootfs" / name).mkdir(parents=True)
        (tmp_path / "rootfs" / name / "seed").write_text(name)
    return tmp_path / "rootfs"


def image(*volumes: str, digest: str = "sha256:1", size: int = MIB, packed: int = MIB) -> Image:
    return Image(
        references=(),
        digest=digest,
        config=ImageConfig(volumes=volumes),
        layers=(),
        size_bytes=size,
        packed_bytes=packed,
        created_at=0,
    )


def container(name: str, *mounts: Mount, **members: object) -> ContainerSpec:
    return ContainerSpec(name=name, image="i", mounts=mounts, **members)  # type: ignore[arg-type]


LONG = "x" * 255
PLENTY = Host(size_bytes=100 * GIB, free_bytes=90 * GIB, memory_bytes=0, reserve_bytes=GIB)


async def test_volumes_are_empty_and_roots(disks: TaskDisks, scratch: CountedScratch, rootfs: Path) -> None:
    """0755, as Fargate gives them, whatever they are called; the disk has the size of the task's storage."""
    app = container(LONG, Mount(volume=LONG, path="/data"))
    task = task_spec(app, volumes=(LONG, "other"), ephemeral_storage_gib=50)
    await disks.prepare(task)
    await disks.prepare(task)
    bound = await disks.bind(task, app, image(), rootfs)
    place = Path(bound.places[LONG])
    found = place.stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o755, 0, 0)
    assert os.listdir(place) == []
    assert scratch.sizes == {task.id: 50 * GIB}
    assert place.is_relative_to(scratch.path(task.id))


async def test_volumes_that_the_image_declares(disks: TaskDisks, rootfs: Path) -> None:
    """They begin with what the image has there: mounted ones once, anonymous ones for each container."""
    one, two = (container(name, Mount(volume="shared", path="/data")) for name in ("one", "two"))
    task = task_spec(one, two, volumes=("shared",))
    await disks.prepare(task)
    first = await disks.bind(task, one, image("/data", "/cache"), rootfs)
    (Path(first.places["shared"]) / "seed").write_text("changed")
    second = await disks.bind(task, two, image("/data", "/cache"), rootfs)
    assert first.places["shared"] == second.places["shared"]
    assert (Path(second.places["shared"]) / "seed").read_text() == "changed"
    caches = {mount.volume: mount.path for mount in (*first.mounts, *second.mounts) if mount.volume != "shared"}
    assert set(caches.values()) == {"/cache"}
    places = [Path(bound.places[name]) for bound in (first, second) for name in bound.places if name != "shared"]
    assert places[0] != places[1]
    assert [(place / "seed").read_text() for place in places] == ["cache", "cache"]


async def test_volumes_of_another_container(disks: TaskDisks, rootfs: Path) -> None:
    """Its own and its image's, through others as well, and for a later process of ours too."""
    db = container("db", Mount(volume="data", path="/data"))
    web = container("web", volumes_from=(VolumesFrom(container="db", read_only=True),))
    log = container("log", volumes_from=(VolumesFrom(container="web"),))
    task = task_spec(db, web, log, volumes=("data",))
    await disks.prepare(task)
    lent = await disks.bind(task, db, image("/cache"), rootfs)
    await disks.bind(task, web, image(), rootfs)
    found = await make_disks(disks.scratch).bind(task, log, image(), rootfs)
    assert found.places == lent.places
    assert {mount.path: mount.read_only for mount in found.mounts} == {"/data": True, "/cache": True}


async def test_a_fill_that_a_crash_cut_short_is_done_again(
    disks: TaskDisks, scratch: CountedScratch, rootfs: Path
) -> None:
    """Is done again: the mark that it left tells."""
    app = container("app", Mount(volume="data", path="/data"))
    task = task_spec(app, volumes=("data",))
    await disks.prepare(task)
    place = scratch.path(task.id)
    (place / "v0/seed").write_text("da")
    (place / "filling-v0").touch()
    await disks.bind(task, app, image("/data"), rootfs)
    assert (place / "v0/seed").read_text() == "data"
    assert not (place / "filling-v0").exists()


async def test_images_count(disks: TaskDisks, scratch: CountedScratch, rootfs: Path) -> None:
    """Packed and unpacked, each once; so much less can be written, and the figures of the task say so."""
    one, two, three = (container(name) for name in ("one", "two", "three"))
    task = task_spec(one, two, three)
    await disks.prepare(task)
    await disks.bind(task, one, image(size=3 * GIB, packed=GIB), rootfs)
    await disks.bind(task, two, image(size=3 * GIB, packed=GIB), rootfs)
    assert scratch.held == {task.id: 4 * GIB}
    again = make_disks(scratch)
    await again.bind(task, three, image(digest="sha256:2", size=GIB, packed=0), rootfs)
    assert scratch.held == {task.id: 5 * GIB}
    scratch.used = 7 * MIB
    assert again.use(task.id) is None
    await again.prepare(task)
    assert again.use(task.id) == StorageUse(utilized_mib=5 * 1024 + 7, reserved_mib=20 * 1024 + 16)


async def test_images_that_are_larger_than_the_disk(disks: TaskDisks) -> None:
    """Refused with what they take; on a larger disk they are welcome."""
    large = image(size=15 * GIB, packed=6 * GIB)
    with pytest.raises(VolumeFailure, match=r"take 21504 MiB, .* of its 20 GiB .*: no space left on device"):
        disks.admit(task_spec(container("app")), large)
    task: TaskSpec = task_spec(container("app"), ephemeral_storage_gib=22)
    disks.admit(task, large)
    disks.admit(task, large)
    with pytest.raises(VolumeFailure, match="no space left"):
        disks.admit(task, image(digest="sha256:2", size=GIB))


async def test_a_host_that_can_not_limit(tmp_path: Path) -> None:
    """It runs tasks that ask for nothing, and refuses those that ask for a size."""
    scratch = UnlimitedScratch(tmp_path / "scratch")
    async with scratch.open():
        disks = make_disks(scratch)
        task = task_spec(container("app"))
        await disks.prepare(task)
        assert disks.use(task.id) is None
        with pytest.raises(VolumeFailure, match="can't give a task a disk of 30 GiB"):
            await disks.prepare(task_spec(container("app"), ephemeral_storage_gib=30))


async def test_released(disks: TaskDisks, scratch: CountedScratch, rootfs: Path) -> None:
    """With all that was in it; what others have stays."""
    one, two = task_spec(container("app")), task_spec(container("app"))
    for task in (one, two):
        await disks.prepare(task)
    await disks.release(one)
    await disks.release(one)
    with anyio.fail_after(10):
        while scratch.tasks() != [two.id]:  # noqa: ASYNC110 - a thread is awaited
            await anyio.sleep(0.01)
