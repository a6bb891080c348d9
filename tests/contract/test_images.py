"""What the node may rely on of the image store, whichever way it keeps layers."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest

from fixtures.images import files_tar, make_image, member, tar_of, write_docker_archive, write_oci_archive
from fixtures.imagestore import find_mounts, no_mounts_left, open_store, skip_unless_root
from fixtures.rootfs import exit_with_euid
from tidegate.model.image import Image, ImageConfig
from tidegate.node.image.images import ImageCorrupt, ImageError, ImageNotFound, WrongPlatform
from tidegate.node.image.layers import FormatName
from tidegate.node.image.store import ImageStore

pytestmark = [pytest.mark.anyio, pytest.mark.host]

CAPABILITY = b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12)


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
async def store(layer_format: FormatName, tmp_path: Path) -> AsyncIterator[ImageStore]:
    async with open_store(tmp_path / "store", layer_format=layer_format) as opened:
        yield opened


async def import_layers(store: ImageStore, directory: Path, layers: list[bytes], name: str = "layered") -> Image:
    archive = write_oci_archive(make_image(layers), directory / f"{name}.oci")
    return await store.import_archive(archive, name)


async def import_rootfs(store: ImageStore, directory: Path, raw: bytes, name: str = "rootfs") -> Image:
    path = directory / "rootfs.tar"
    path.write_bytes(raw)
    return await store.import_archive(path, name)


async def test_an_imported_image_is_found_by_its_names(store: ImageStore, tmp_path: Path) -> None:
    """By the name given, as docker completes it, by its digest, and in the list; other names find nothing."""
    image = await import_rootfs(store, tmp_path, files_tar({"a": "b"}), "app")
    assert image.references == ("docker.io/library/app:latest",)
    assert store.find("app") == store.find("docker.io/library/app:latest") == store.list()[0] == image
    assert store.find(f"any.example/app@{image.digest}") == image
    assert store.find("app", image.config.architecture) == image
    assert store.find("app", "riscv64") is store.find("app:v2") is store.find("Not A Name") is None


async def test_an_image_that_is_here_is_not_asked_for(store: ImageStore, tmp_path: Path) -> None:
    """No registry is needed for what was imported."""
    image = await import_rootfs(store, tmp_path, files_tar({"a": "b"}), "127.0.0.1:1/app:v1")
    assert await store.ensure("127.0.0.1:1/app:v1", image.config.architecture) == image


async def test_an_image_that_is_here_for_another_machine(store: ImageStore, tmp_path: Path) -> None:
    """What was imported for one architecture is not taken for another, and the message is not that of its registry."""
    await import_rootfs(store, tmp_path, files_tar({"a": "b"}), "127.0.0.1:1/app:v1")
    with pytest.raises(WrongPlatform, match="does not contain descriptor matching platform 'linux/riscv64'"):
        await store.ensure("127.0.0.1:1/app:v1", "riscv64")


async def test_the_configuration_of_a_root_file_system_is_what_was_given(store: ImageStore, tmp_path: Path) -> None:
    """A tar has none of its own: no command by default."""
    path = tmp_path / "r.tar"
    path.write_bytes(files_tar({"a": "b"}))
    assert (await store.import_archive(path, "plain")).config.command == ()
    config = ImageConfig(command=("serve",), environment=("A=b",), user="web", working_directory="/srv")
    assert (await store.import_archive(path, "made", config=config)).config == config
    assert store.list()[0].references == ("docker.io/library/made:latest",)


@pytest.mark.parametrize("packing", [[], ["gzip", "-c"], ["zstd", "-qc"]])
async def test_a_root_file_system_may_be_packed(store: ImageStore, tmp_path: Path, packing: list[str]) -> None:
    """The layer is the same, whatever it was packed with."""
    raw = files_tar({"etc/a": "text"})
    if packing:
        raw = subprocess.run(packing, input=raw, stdout=subprocess.PIPE, check=True).stdout
    image = await import_rootfs(store, tmp_path, raw)
    plain = await import_rootfs(store, tmp_path, files_tar({"etc/a": "text"}), "plain")
    assert image.layers == plain.layers
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    assert (rootfs / "etc/a").read_text() == "text"
    await store.unmount_rootfs(tmp_path / "task")


async def test_files_are_what_the_archive_says(store: ImageStore, tmp_path: Path) -> None:
    """Kinds, modes with their setuid bits, owners, times, links, devices, capabilities, contents."""
    big = os.urandom(3_000_001)
    image = await import_rootfs(
        store,
        tmp_path,
        tar_of(
            [
                member("./", tarfile.DIRTYPE, mode=0o751, uid=3, gid=4),
                (member("big", mtime=1_600_000_000.25), big),
                (member("bin/su", mode=0o4755, uid=0, gid=0), b"x"),
                (member("ping", pax={"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}), b"y"),
                member("hard", tarfile.LNKTYPE, linkname="big"),
                member("soft", tarfile.SYMTYPE, linkname="../etc/" + "x" * 300),
                member("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
                member("sda300", tarfile.BLKTYPE, devmajor=8, devminor=300),
                member("pipe", tarfile.FIFOTYPE),
                member("tmp", tarfile.DIRTYPE, mode=0o1777, mtime=1_500_000_000),
                member("empty", uid=70_000, gid=4_000_000_000),
                (member("ü/" + "long name " * 20), b"z"),
                *(member(f"many/file-with-a-name-{number:04}") for number in range(600)),
            ]
        ),
    )
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    look = {name: os.lstat(rootfs / name) for name in os.listdir(rootfs)}
    assert (rootfs / "big").read_bytes() == big
    assert look["big"].st_mtime_ns == 1_600_000_000_250_000_000
    assert look["big"].st_nlink == 2
    assert (rootfs / "hard").read_bytes() == big
    assert (rootfs / "bin/su").stat().st_mode == stat.S_IFREG | 0o4755
    assert os.getxattr(rootfs / "ping", "security.capability") == CAPABILITY
    assert os.readlink(rootfs / "soft") == "../etc/" + "x" * 300
    assert (look["null"].st_mode, look["null"].st_rdev) == (stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert (stat.S_ISBLK(look["sda300"].st_mode), look["sda300"].st_rdev) == (True, os.makedev(8, 300))
    assert stat.S_ISFIFO(look["pipe"].st_mode)
    assert (look["tmp"].st_mode, look["tmp"].st_mtime) == (stat.S_IFDIR | 0o1777, 1_500_000_000)
    assert (look["empty"].st_size, look["empty"].st_uid, look["empty"].st_gid) == (0, 70_000, 4_000_000_000)
    assert (rootfs / "ü" / ("long name " * 20)).read_text() == "z"
    assert len(os.listdir(rootfs / "many")) == 600
    root = rootfs.stat()
    assert (stat.S_IMODE(root.st_mode), root.st_uid, root.st_gid) == (0o751, 3, 4)
    await store.unmount_rootfs(tmp_path / "task")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is made for x86_64")
async def test_a_setuid_program_of_an_image_works(store: ImageStore, tmp_path: Path) -> None:
    """Layers are mounted nosuid, what is stacked on them is not."""
    image = await import_rootfs(store, tmp_path, tar_of([(member("whoami", mode=0o4755), exit_with_euid())]))
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    script = f"import os; os.chroot({str(rootfs)!r}); os.setgid(1000); os.setuid(1000); os.execv('/whoami', ['w'])"
    done = subprocess.run(["python3", "-c", script], capture_output=True)
    await store.unmount_rootfs(tmp_path / "task")
    assert (done.returncode, done.stderr) == (0, b"")


async def test_upper_layers_replace_hide_and_add(store: ImageStore, tmp_path: Path) -> None:
    """Whiteouts of files and directories, opaque directories, changes of kind: as docker shows them."""
    image = await import_layers(
        store,
        tmp_path,
        [
            files_tar({"etc/a": "1", "etc/b": "1", "gone/x": "1", "new/old": "1", "opq/old": "1", "kind/file": "1"}),
            tar_of(
                [
                    (member("etc/a"), b"2"),
                    member("etc/.wh.b"),
                    member(".wh.gone"),
                    member(".wh.new"),
                    (member("new/x"), b"2"),
                    member("opq", tarfile.DIRTYPE),
                    member("opq/.wh..wh..opq"),
                    (member("opq/x"), b"2"),
                    (member("kind"), b"2"),
                ]
            ),
        ],
    )
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    shown = {str(path.relative_to(rootfs)): path.read_text() for path in rootfs.rglob("*") if path.is_file()}
    assert shown == {"etc/a": "2", "new/x": "2", "opq/x": "2", "kind": "2"}
    await store.unmount_rootfs(tmp_path / "task")


async def test_what_a_container_writes_is_its_own(store: ImageStore, tmp_path: Path) -> None:
    """Two root file systems of one image; the image stays as it was."""
    image = await import_rootfs(store, tmp_path, files_tar({"a": "image", "b": "image"}))
    one = await store.mount_rootfs(image, tmp_path / "one")
    two = await store.mount_rootfs(image, tmp_path / "two")
    (one / "a").write_text("one")
    (one / "b").unlink()
    assert (tmp_path / "one/upper/a").read_text() == "one"
    assert (two / "a").read_text() == (two / "b").read_text() == "image"
    for name in ("one", "two"):
        await store.unmount_rootfs(tmp_path / name)


async def test_mounting_again_gives_the_same_root_file_system(store: ImageStore, tmp_path: Path) -> None:
    """With what was written to it; unmounting again is fine too, and leaves an empty directory."""
    image = await import_rootfs(store, tmp_path, files_tar({"a": "b"}))
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    (rootfs / "written").write_text("x")
    assert await store.mount_rootfs(image, tmp_path / "task") == rootfs
    assert (rootfs / "written").exists()
    assert find_mounts(tmp_path / "task") == [str(rootfs)]
    for _ in range(2):
        await store.unmount_rootfs(tmp_path / "task")
    assert os.listdir(tmp_path / "task") == []
    await store.unmount_rootfs(tmp_path / "never")


@pytest.mark.parametrize("count", [0, 1, 100])
async def test_images_of_none_one_and_a_hundred_layers(store: ImageStore, tmp_path: Path, count: int) -> None:
    """All of them together must fit into one page of mount options, however long the paths are."""
    layers = [files_tar({f"f{number}": str(number), "top": str(number)}) for number in range(count)]
    image = await import_layers(store, tmp_path, layers)
    task = tmp_path / "a-path-of-some-length" / "with, strange: \\ characters"
    rootfs = await store.mount_rootfs(image, task)
    assert sorted(os.listdir(rootfs)) == sorted([f"f{n}" for n in range(count)] + (["top"] if count else []))
    if count:
        assert (rootfs / "top").read_text() == str(count - 1)
    (rootfs / "new").write_text("x")
    await store.unmount_rootfs(task)


async def test_layers_are_shared(store: ImageStore, tmp_path: Path) -> None:
    """Of two images on one base, the base is kept once; an image may hold a layer twice."""
    base, top = files_tar({"base": "x" * 100_000}), files_tar({"top": "y"})
    one = await import_layers(store, tmp_path, [base, top], "one")
    two = await import_layers(store, tmp_path, [base, base], "two")
    assert one.layers[0] == two.layers[0] == two.layers[1]
    assert len(os.listdir(tmp_path / "store/layers")) == 2
    rootfs = await store.mount_rootfs(two, tmp_path / "task")
    assert os.listdir(rootfs) == ["base"]
    await store.unmount_rootfs(tmp_path / "task")


async def test_a_name_that_is_used_again_leads_to_the_new_image(store: ImageStore, tmp_path: Path) -> None:
    """The old one stays for those who run it, without a name."""
    old = await import_rootfs(store, tmp_path, files_tar({"a": "old"}))
    new = await import_rootfs(store, tmp_path, files_tar({"a": "new"}))
    assert store.find("rootfs") == new
    assert [image.digest for image in store.list()] == [new.digest]
    assert await store.collect_garbage({old.digest}) == 0
    assert await store.collect_garbage(set()) > 0


async def test_garbage_is_what_no_image_and_no_task_needs(store: ImageStore, tmp_path: Path) -> None:
    """A removed image goes with its own layers, unless it is in use; what others share stays."""
    base = files_tar({"base": "x" * 100_000})
    one = await import_layers(store, tmp_path, [base, files_tar({"one": "1" * 50_000})], "one")
    two = await import_layers(store, tmp_path, [base], "two")
    rootfs = await store.mount_rootfs(one, tmp_path / "task")
    await store.remove("one")
    await store.remove("one")
    assert store.find("one") is None
    await store.collect_garbage({one.digest})
    assert (rootfs / "one").exists()
    await store.unmount_rootfs(tmp_path / "task")
    before = set(os.listdir(tmp_path / "store/layers"))
    assert await store.collect_garbage(set()) > 0
    gone = before - set(os.listdir(tmp_path / "store/layers"))
    assert gone == {one.layers[1].removeprefix("sha256:")}
    assert await store.collect_garbage(set()) == 0
    rootfs = await store.mount_rootfs(two, tmp_path / "task")
    assert os.listdir(rootfs) == ["base"]
    await store.unmount_rootfs(tmp_path / "task")


async def test_after_garbage_collection_the_same_image_can_come_again(store: ImageStore, tmp_path: Path) -> None:
    """Nothing of the old one is in the way."""
    raw = files_tar({"a": "b"})
    first = await import_rootfs(store, tmp_path, raw)
    await store.mount_rootfs(first, tmp_path / "task")
    await store.unmount_rootfs(tmp_path / "task")
    await store.remove("rootfs")
    await store.collect_garbage(set())
    with pytest.raises(ImageNotFound, match="not here any more"):
        await store.mount_rootfs(first, tmp_path / "task")
    again = await import_rootfs(store, tmp_path, raw)
    rootfs = await store.mount_rootfs(again, tmp_path / "task")
    assert (rootfs / "a").read_text() == "b"
    await store.unmount_rootfs(tmp_path / "task")


async def test_a_store_that_is_opened_again_has_everything(layer_format: FormatName, tmp_path: Path) -> None:
    """Images, and mounts, which are taken up and not made twice; tasks run on in between."""
    store = ImageStore(tmp_path / "store", layer_format=layer_format)
    async with store.open():
        image = await import_rootfs(store, tmp_path, files_tar({"a": "b"}))
        rootfs = await store.mount_rootfs(image, tmp_path / "task")
    mounts = find_mounts(tmp_path)
    assert (rootfs / "a").read_text() == "b"
    async with open_store(tmp_path / "store", layer_format=layer_format) as again:
        assert again.find("rootfs") == image
        assert await again.mount_rootfs(image, tmp_path / "task") == rootfs
        await again.mount_rootfs(image, tmp_path / "other")
        assert len(find_mounts(tmp_path)) == len(mounts) + 1
        await again.unmount_rootfs(tmp_path / "task")
        await again.unmount_rootfs(tmp_path / "other")


async def test_what_was_half_done_is_dropped_at_the_start(layer_format: FormatName, tmp_path: Path) -> None:
    """Unfinished layers, staging, and layers that no index names."""
    async with open_store(tmp_path / "store", layer_format=layer_format) as store:
        image = await import_rootfs(store, tmp_path, files_tar({"a": "b"}))
    left = tmp_path / "store/layers" / ("ab" * 32) / "content"
    left.mkdir(parents=True)
    (tmp_path / "store/staging/7/deep").mkdir(parents=True)
    async with open_store(tmp_path / "store", layer_format=layer_format) as store:
        assert store.list() == [image]
    assert not left.parent.exists()
    assert os.listdir(tmp_path / "store/staging") == []


async def test_a_directory_has_one_store_at_a_time(store: ImageStore, tmp_path: Path) -> None:
    """Two servers must not write one index."""
    with pytest.raises(BlockingIOError):
        async with ImageStore(tmp_path / "store").open():
            pytest.fail("opened twice")


async def test_both_formats_may_be_in_one_store(tmp_path: Path) -> None:
    """A host that learns erofs, or forgets it, keeps its images."""
    formats: list[FormatName] = ["directory", "erofs"]
    for chosen in formats:
        skip_unless_root(chosen, tmp_path)
        async with open_store(tmp_path / "store", layer_format=chosen) as store:
            await import_rootfs(store, tmp_path, files_tar({"kind": chosen}), chosen)
    async with open_store(tmp_path / "store") as store:
        for chosen in formats:
            image = store.find(chosen)
            assert image is not None
            rootfs = await store.mount_rootfs(image, tmp_path / "task")
            assert (rootfs / "kind").read_text() == chosen
            await store.unmount_rootfs(tmp_path / "task")


async def test_a_layer_that_is_gone_is_unpacked_again(
    store: ImageStore, tmp_path: Path, layer_format: FormatName
) -> None:
    """From the archive that the store keeps; a task does not notice."""
    image = await import_layers(store, tmp_path, [files_tar({"a": "1"}), files_tar({"b": "2"})])
    for diff_id in image.layers:
        content = tmp_path / "store/layers" / diff_id.removeprefix("sha256:") / "content"
        if layer_format == "erofs":
            content.write_bytes(b"garbage" * 1000)
        else:
            (content / "root").rename(tmp_path / f"moved-{diff_id[-8:]}")
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    assert sorted(os.listdir(rootfs)) == ["a", "b"]
    await store.unmount_rootfs(tmp_path / "task")


async def test_a_layer_that_can_not_be_unpacked_again_is_an_error(
    store: ImageStore, tmp_path: Path, layer_format: FormatName
) -> None:
    """Whose message names the layer; nothing is left mounted."""
    image = await import_rootfs(store, tmp_path, files_tar({"a": "1"}))
    place = tmp_path / "store/layers" / image.layers[0].removeprefix("sha256:")
    (place / "content").rename(place / "lost")
    for blob in (tmp_path / "store/blobs/sha256").iterdir():
        blob.unlink()
    with pytest.raises(ImageCorrupt, match=image.layers[0]):
        await store.mount_rootfs(image, tmp_path / "task")
    assert find_mounts(tmp_path / "task") == []


@pytest.mark.parametrize("kind", ["oci", "docker"])
async def test_an_export_can_be_imported(store: ImageStore, tmp_path: Path, kind: Literal["oci", "docker"]) -> None:
    """With the same layers and the same configuration."""
    raw = make_image([files_tar({"a": "1"}), files_tar({"b": "2"})], config={"Cmd": ["run"], "Env": ["A=b"]})
    image = await store.import_archive(write_oci_archive(raw, tmp_path / "in.tar"), "app:v1")
    assert image.digest == raw.digest
    await store.export_archive("app:v1", tmp_path / "out: strange.tar", kind)
    again = await store.import_archive(tmp_path / "out: strange.tar", "again:v2")
    assert (again.layers, again.config) == (image.layers, image.config)
    assert again.config.command == ("run",)
    assert kind == "docker" or again.digest == image.digest


async def test_what_docker_saves_can_be_imported(store: ImageStore, tmp_path: Path) -> None:
    """Its layers are not packed there."""
    layers = [files_tar({"a": "1"}), files_tar({"b": "2"})]
    image = await store.import_archive(write_docker_archive(layers, tmp_path / "saved.tar", {"User": "web"}), "saved")
    assert image.config.user == "web"
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    assert sorted(os.listdir(rootfs)) == ["a", "b"]
    await store.unmount_rootfs(tmp_path / "task")


async def test_an_unknown_image_can_not_be_exported(store: ImageStore, tmp_path: Path) -> None:
    """And no file is made."""
    with pytest.raises(ImageNotFound, match="no such image"):
        await store.export_archive("missing", tmp_path / "out.tar", "oci")
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize("raw", [b"", b"#!/bin/sh\necho no archive\n" * 100, bytes(10240), b"\x1f\x8b broken"])
async def test_what_is_no_archive_is_refused(store: ImageStore, tmp_path: Path, raw: bytes) -> None:
    """By an error that names the file, and nothing is kept."""
    with pytest.raises(ImageCorrupt, match=r"cannot import rootfs\.tar"):
        await import_rootfs(store, tmp_path, raw)
    assert store.list() == []


@pytest.mark.parametrize(
    "entries",
    [
        [member("h", tarfile.LNKTYPE, linkname="/etc/passwd")],
        [member("h", tarfile.LNKTYPE, linkname="../../../../../../etc/passwd")],
        [member("a"), member("a/b")],
        [member("s", tarfile.SYMTYPE, linkname="s"), member("s/f")],
        [member("x" * 300)],
    ],
)
async def test_a_hostile_archive_is_refused_whole(
    store: ImageStore, tmp_path: Path, entries: list[tarfile.TarInfo]
) -> None:
    """No image, no layer, no file outside."""
    with pytest.raises(ImageCorrupt, match="cannot unpack"):
        await import_rootfs(store, tmp_path, tar_of([member("bin/first"), *entries]))
    assert store.list() == []
    assert os.listdir(tmp_path / "store/staging") == os.listdir(tmp_path / "store/layers") == []


async def test_a_hostile_archive_writes_nothing_outside(store: ImageStore, tmp_path: Path) -> None:
    """Through links and dots it reaches what is under its own root."""
    outside = tmp_path / "outside"
    outside.mkdir()
    up = "../" * 40
    image = await import_rootfs(
        store,
        tmp_path,
        tar_of(
            [
                member("abs", tarfile.SYMTYPE, linkname=str(outside)),
                (member("abs/one"), b"x"),
                member("rel", tarfile.SYMTYPE, linkname=f"{up}{outside}"),
                (member("rel/two"), b"x"),
                (member(f"{up}{outside}/three"), b"x"),
            ]
        ),
    )
    assert os.listdir(outside) == []
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    assert sorted(os.listdir(f"{rootfs}{outside}")) == ["one", "three", "two"]
    await store.unmount_rootfs(tmp_path / "task")


async def test_an_import_under_a_digest_is_refused(store: ImageStore, tmp_path: Path) -> None:
    """A digest is what the contents are."""
    path = tmp_path / "r.tar"
    path.write_bytes(files_tar({"a": "b"}))
    with pytest.raises(ImageError, match="digest can't be chosen"):
        await store.import_archive(path, "app@sha256:" + "0" * 64)


async def test_what_was_written_may_stay_for_its_owner_to_delete(store: ImageStore, tmp_path: Path) -> None:
    """An unmount that keeps what was written leaves no mount; another one deletes the rest."""
    image = await import_rootfs(store, tmp_path, files_tar({"etc/a": "text"}))
    rootfs = await store.mount_rootfs(image, tmp_path / "task")
    (rootfs / "note").write_text("mine")

    await store.unmount_rootfs(tmp_path / "task", keep_written=True)
    assert not rootfs.exists()
    assert (tmp_path / "task/upper/note").read_text() == "mine"
    await store.unmount_rootfs(tmp_path / "task")
    assert not (tmp_path / "task/upper").exists()
