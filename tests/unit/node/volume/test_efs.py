"""EFS volumes are directories of the host, found and mounted whatever lies in them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.specs import task_spec
from tidegate.kernel import syscalls
from tidegate.kernel.shared_mount import list_mounts_below
from tidegate.model.execution import FileSystemRights
from tidegate.model.spec import ContainerSpec, EfsVolume, TaskSpec
from tidegate.node.volume.efs import EfsVolumes
from tidegate.node.volume.efsmap import AccessPoint, EfsMap, LocalRoot, NfsRoot
from tidegate.node.volume.volumes import VolumeFailure

pytestmark = [pytest.mark.anyio, pytest.mark.host]


@pytest.fixture
def anyio_backend() -> str:
    """Mounts are real."""
    return "asyncio"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file system with a directory in it, and something outside that nobody may see."""
    (tmp_path / "data/app/inner").mkdir(parents=True)
    (tmp_path / "data/app/file").write_text("kept")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("host")
    return tmp_path / "data"


@pytest.fixture
def efs(tmp_path: Path, data: Path) -> Iterator[EfsVolumes]:
    """The file systems fs-1 (the data) and all others below a directory."""
    (tmp_path / "all").mkdir()
    known = EfsMap(
        LocalRoot(tmp_path / "all"),
        {"fs-1": LocalRoot(data)},
        {"fsap-1": AccessPoint("fs-1", "/app"), "fsap-2": AccessPoint("fs-1", "/new/own", (1000, 1001))},
    )
    made = EfsVolumes(tmp_path / "mounts", known)
    yield made
    made.close()
    assert list_mounts_below(tmp_path) == []


def task(*volumes: EfsVolume, **members: object) -> TaskSpec:
    return task_spec(ContainerSpec(name="app", image="i"), efs_volumes=volumes, region="eu-north-1", **members)


def volume(**members: object) -> EfsVolume:
    return EfsVolume(**{"name": "v", "file_system": "fs-1", **members})  # type: ignore[arg-type]


async def test_data_is_shared_and_outlives_tasks(efs: EfsVolumes, data: Path) -> None:
    """Two tasks see each other's files, and so does who comes after them; asking again mounts nothing."""
    one, two = task(volume(directory="/app")), task(volume())
    for each in (one, one, two):
        assert await efs.prepare(each) == {"v": True}
    assert (efs.place(one.id, 0) / "file").read_text() == "kept"
    (efs.place(one.id, 0) / "new").write_text("one")
    assert (efs.place(two.id, 0) / "app/new").read_text() == "one"
    efs.release(one.id)
    efs.release(one.id)
    assert not efs.place(one.id, 0).exists()
    assert (data / "app/new").read_text() == "one"
    assert (efs.place(two.id, 0) / "app/new").exists()
    efs.release(two.id)


async def test_a_file_system_without_a_root_of_its_own(efs: EfsVolumes, tmp_path: Path) -> None:
    """Gets a directory at its first use."""
    one = task(volume(file_system="fs-9"))
    await efs.prepare(one)
    (efs.place(one.id, 0) / "x").touch()
    assert (tmp_path / "all/fs-9/x").exists()
    efs.release(one.id)


@pytest.mark.parametrize(
    ("directory", "sees"),
    [("/app/../..", "app"), ("/../../outside", None), ("/up", "app"), ("/abs", None), ("/app/link", "file")],
)
async def test_nothing_leads_out(efs: EfsVolumes, data: Path, directory: str, sees: str | None) -> None:
    """Links and dots end at the file system's root; what would be outside is not there."""
    (data / "up").symlink_to("../../../..")
    (data / "abs").symlink_to(data.parent / "outside")
    (data / "app/link").symlink_to("/app")
    one = task(volume(directory=directory))
    if sees is None:
        with pytest.raises(VolumeFailure, match="No such file or directory"):
            await efs.prepare(one)
        efs.release(one.id)
        return
    await efs.prepare(one)
    assert sees in os.listdir(efs.place(one.id, 0))
    assert "secret" not in os.listdir(efs.place(one.id, 0))
    efs.release(one.id)


async def test_what_is_missing(efs: EfsVolumes, tmp_path: Path) -> None:
    """In the words of Fargate's agent."""
    with pytest.raises(VolumeFailure) as failure:
        await efs.prepare(task(volume(directory="/none")))
    assert str(failure.value) == (
        "failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: mounting "
        "fs-1.efs.eu-north-1.amazonaws.com:/none failed, reason given by server: No such file or directory' : "
        "unsuccessful EFS utils command execution; code: 32"
    )
    with pytest.raises(VolumeFailure, match="Not a directory"):
        await efs.prepare(task(volume(directory="/app/file")))
    with pytest.raises(VolumeFailure, match=r'Failed to resolve "fs-1\.efs\.eu-north-1\.amazonaws\.com" .*--efs-root'):
        await EfsVolumes(tmp_path / "other", EfsMap()).prepare(task(volume()))


async def test_access_points(efs: EfsVolumes, data: Path) -> None:
    """They lead to their directory, which is made if it has an owner; others are refused."""
    one = task(volume(access_point="fsap-1"), volume(name="w", access_point="fsap-2"))
    await efs.prepare(one)
    assert (efs.place(one.id, 0) / "file").read_text() == "kept"
    made = (data / "new/own").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (1000, 1001, 0o755)
    assert (data / "new").stat().st_uid == 0
    efs.release(one.id)
    for other in (volume(access_point="fsap-9"), volume(file_system="fs-2", access_point="fsap-1")):
        with pytest.raises(VolumeFailure, match=r"access denied by server.* knows no access point"):
            await efs.prepare(task(other))


class Says:
    """Rights of everybody."""

    def __init__(self, rights: FileSystemRights) -> None:
        self._rights = rights

    def of(self, task: TaskSpec, volume: EfsVolume) -> FileSystemRights:
        return self._rights


async def test_rights(tmp_path: Path, data: Path) -> None:
    """They count where a volume asks for them."""
    known = EfsMap(systems={"fs-1": LocalRoot(data)})
    for rights, expected in (
        (FileSystemRights(may_write=False), {"v": False, "w": True}),
        (FileSystemRights(), {"v": True, "w": True}),
    ):
        efs = EfsVolumes(tmp_path / "mounts", known, Says(rights))
        assert await efs.prepare(task(volume(checks_iam=True), volume(name="w"))) == expected
        efs.close()
    efs = EfsVolumes(tmp_path / "mounts", known, Says(FileSystemRights(may_mount=False)))
    with pytest.raises(VolumeFailure, match="access denied by server while mounting"):
        await efs.prepare(task(volume(checks_iam=True)))


class Network:
    """Exports of other hosts that are directories here."""

    def __init__(self, export: Path) -> None:
        self.export = export
        self.mounted: list[NfsRoot] = []
        self.failure: OSError | None = None

    async def mount(self, root: NfsRoot, place: Path) -> None:
        if self.failure is not None:
            raise self.failure
        self.mounted.append(root)
        syscalls.mount(str(self.export), str(place), None, syscalls.MS_BIND)


async def test_exports_of_other_hosts(tmp_path: Path, data: Path) -> None:
    """One is mounted once for all tasks, and goes when none is left."""
    network = Network(data)
    root = NfsRoot("nas", "/export")
    efs = EfsVolumes(tmp_path / "mounts", EfsMap(root, {"fs-1": root}), network=network)
    one, two, three = task(volume(directory="/app")), task(volume()), task(volume(file_system="fs-2"))
    for each in (one, two, three):
        await efs.prepare(each)
    assert network.mounted == [root, root]
    assert (efs.place(one.id, 0) / "file").read_text() == "kept"
    assert (data / "fs-2").is_dir()
    efs.keep_only({two.id})
    assert not efs.place(one.id, 0).exists()
    assert (efs.place(two.id, 0) / "app/file").exists()
    efs.close()
    assert list_mounts_below(tmp_path) == []
    assert (data / "app/file").read_text() == "kept"


async def test_a_host_that_does_not_answer(tmp_path: Path, data: Path) -> None:
    """The reason is what the kernel says."""
    network = Network(data)
    network.failure = TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    efs = EfsVolumes(tmp_path / "mounts", EfsMap(systems={"fs-1": NfsRoot("nas", "/")}), network=network)
    with pytest.raises(VolumeFailure, match=r"fs-1\.efs\.eu-north-1.*:/ failed, .*: Connection timed out"):
        await efs.prepare(task(volume()))
    efs.close()


async def test_what_can_not_be_unmounted_keeps_its_data(efs: EfsVolumes, data: Path) -> None:
    """Deleting stops at a directory that holds anything."""
    one = task(volume(directory="/app"))
    await efs.prepare(one)
    place = efs.place(one.id, 0)
    syscalls.umount(str(place))
    (place / "left").touch()
    with pytest.raises(OSError, match="not empty"):
        efs.release(one.id)
    assert (data / "app/file").read_text() == "kept"
    (place / "left").unlink()
    efs.release(one.id)
