"""Images that are made to do harm cost what they may and no more, and leave nothing behind."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fixtures.images import assemble, digest_of, files_tar, make_image, member, tar_of, write_oci_archive
from fixtures.imagestore import no_mounts_left, open_store, skip_unless_root
from tidegate.kernel import syscalls
from tidegate.node.image.budget import Limits
from tidegate.node.image.images import ImageCorrupt, ImageError, ImageNoSpace
from tidegate.node.image.layers import FormatName
from tidegate.node.image.store import ImageStore

pytestmark = [pytest.mark.anyio, pytest.mark.host]

MIB = 1 << 20


@pytest.fixture
def anyio_backend() -> str:
    """Real processes and files: real time."""
    return "asyncio"


@pytest.fixture(params=["erofs", "directory"])
def layer_format(request: pytest.FixtureRequest, tmp_path: Path) -> FormatName:
    chosen: FormatName = request.param
    skip_unless_root(chosen, tmp_path)
    return chosen


@pytest.fixture(autouse=True)
def clean(tmp_path: Path) -> Iterator[None]:
    with no_mounts_left(tmp_path):
        yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        syscalls.umount(str(directory))


async def refused(
    store: ImageStore, directory: Path, *layers: bytes, kind: type[ImageError] = ImageCorrupt, match: str
) -> None:
    """An image of these layers is not taken in; nothing of it stays, and a good one is taken in afterwards."""
    archive = write_oci_archive(make_image(list(layers)), directory / "hostile.tar")
    with pytest.raises(kind, match=match):
        await store.import_archive(archive, "hostile")
    await store.collect_garbage(set())
    assert store.list() == []
    for place in ("staging", "layers", "blobs/sha256"):
        assert os.listdir(store.directory / place) == []
    path = directory / "good.tar"
    path.write_bytes(files_tar({"good": "x"}))
    assert (await store.import_archive(path, "good")).references
    await store.remove("good")
    await store.collect_garbage(set())


@asynccontextmanager
async def limited(directory: Path, layer_format: FormatName, **limits: int) -> AsyncIterator[ImageStore]:
    async with open_store(directory / "store", layer_format=layer_format, limits=Limits(**limits)) as store:
        yield store


async def test_a_bomb_is_stopped_by_its_ratio(tmp_path: Path, layer_format: FormatName) -> None:
    """What unpacks to hundreds of times its size is no layer; what is small may be packed as well as it can be."""
    zeros = files_tar({"zeros": bytes(8 * MIB)})
    async with limited(tmp_path, layer_format, ratio=100, small_bytes=4 * MIB) as store:
        await refused(store, tmp_path, zeros, match="more than 100 times its size, and more than 4 MiB")
    async with limited(tmp_path / "other", layer_format, ratio=100, small_bytes=16 * MIB) as store:
        archive = write_oci_archive(make_image([zeros]), tmp_path / "fine.tar")
        assert await store.import_archive(archive, "fine")


async def test_a_layer_that_is_too_large(tmp_path: Path, layer_format: FormatName) -> None:
    """However little it is packed, and whatever its holes add up to."""
    async with limited(tmp_path, layer_format, bytes=4 * MIB) as store:
        await refused(store, tmp_path, files_tar({"noise": os.urandom(5 * MIB)}), match="larger than 4 MiB")
        await refused(store, tmp_path, sparse_file(1 << 40), match="larger than 4 MiB")


def sparse_file(size: int) -> bytes:
    """A file that is one hole."""
    pax = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(size), "GNU.sparse.name": "hole"}
    return tar_of([member("hole", pax=pax)])


async def test_too_many_files(tmp_path: Path, layer_format: FormatName) -> None:
    """In one layer, and in all of them together."""
    many = [files_tar({f"{layer}/{number}": "" for number in range(60)}) for layer in range(3)]
    async with limited(tmp_path, layer_format, entries=50) as store:
        await refused(store, tmp_path, many[0], match="more than 50 files")
    async with limited(tmp_path / "other", layer_format, image_entries=150) as store:
        await refused(store, tmp_path, *many, match=r"it has 1\d\d files, more than 150")


async def test_layers_that_are_too_large_together(tmp_path: Path, layer_format: FormatName) -> None:
    """An image that fits on no task's disk is refused when it comes, not when it is used."""
    layers = [files_tar({f"{number}": os.urandom(MIB)}) for number in range(4)]
    async with limited(tmp_path, layer_format, image_bytes=3 * MIB) as store:
        await refused(store, tmp_path, *layers, kind=ImageNoSpace, match="largest disk of a task: no space left")


async def test_too_many_layers(tmp_path: Path, layer_format: FormatName) -> None:
    """As docker has it."""
    async with limited(tmp_path, layer_format) as store:
        layers = [files_tar({str(number): ""}) for number in range(129)]
        await refused(store, tmp_path, *layers, match="129 layers, more than 128")


async def test_the_hosts_disk_keeps_its_reserve(small_disk: Path, tmp_path: Path, layer_format: FormatName) -> None:
    """A layer that would fill the disk is stopped while there is room left, and gives back what it took."""
    noise = files_tar({f"{number}": os.urandom(4 * MIB) for number in range(10)})
    (tmp_path / "archives").mkdir()
    async with limited(small_disk, layer_format, reserve_bytes=16 * MIB) as store:
        await refused(store, tmp_path / "archives", noise, kind=ImageNoSpace, match="no space left on device")
        assert os.statvfs(small_disk).f_bavail * 4096 > 50 * MIB


async def test_a_layer_whose_packing_lies(tmp_path: Path, layer_format: FormatName) -> None:
    """Its configuration names another content, or its bytes stop in the middle."""
    good = files_tar({"a": "b"})
    cut = gzip.compress(files_tar({"noise": os.urandom(MIB)}), 1, mtime=0)[:-50_000]
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}'
    for packed in (gzip.compress(good, 1, mtime=0), cut):
        wrong = config % digest_of(b"something else").encode()
        image = assemble(wrong, [packed], (digest_of(b"something else"),))
        async with limited(tmp_path, layer_format) as store:
            archive = write_oci_archive(image, tmp_path / "lies.tar")
            with pytest.raises(ImageCorrupt):
                await store.import_archive(archive, "lies")
            await store.collect_garbage(set())
            assert store.list() == []


async def test_devices_of_an_image_are_files_like_others(tmp_path: Path, layer_format: FormatName) -> None:
    """They are taken in as they are: that they open nothing is the container's matter, and is tested there."""
    async with limited(tmp_path, layer_format) as store:
        path = tmp_path / "devices.tar"
        path.write_bytes(tar_of([member("disk", tarfile.BLKTYPE, devmajor=254, devminor=0, mode=0o666)]))
        image = await store.import_archive(path, "devices")
        rootfs = await store.mount_rootfs(image, tmp_path / "task")
        assert os.stat(rootfs / "disk").st_rdev == os.makedev(254, 0)
        await store.unmount_rootfs(tmp_path / "task")
