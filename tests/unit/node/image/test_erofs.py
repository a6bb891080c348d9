"""The erofs files that we write are those that the kernel and erofs-utils expect."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import stat
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.images import files_tar, member, tar_of
from fixtures.imagestore import find_mounts, no_mounts_left, skip_unless_root
from tidegate.kernel import syscalls
from tidegate.node.image import layers
from tidegate.node.image.budget import Limits
from tidegate.node.image.layers import FORMATS, find_format
from tidegate.node.image.unpack import unpack_layer

needs_fsck = pytest.mark.skipif(shutil.which("fsck.erofs") is None, reason="needs erofs-utils")


def write_erofs(raw: bytes, directory: Path, name: str = "layer") -> Path:
    blob, made = directory / f"{name}.tar", directory / f"{name}.erofs"
    blob.write_bytes(raw)
    made.unlink(missing_ok=True)
    unpack_layer(blob, made, "erofs", Limits())
    return made


def everything() -> bytes:
    """A bit of all that a file system has, at sizes around those of blocks."""
    source = random.Random(1)
    entries: list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]] = [
        (member(f"sizes/{size}"), source.randbytes(size)) for size in (0, 1, 4095, 4096, 4097, 8192, 1_048_577)
    ]
    sizes = (1, 3900, 3970, 4030, 4032, 4033, 4095)
    entries += [member(f"links/{size}", tarfile.SYMTYPE, linkname="x" * size) for size in sizes]
    for count in (0, 1, 190, 200, 2000):
        entries.append(member(f"dirs/{count}", tarfile.DIRTYPE))
        entries += [member(f"dirs/{count}/{number:08}") for number in range(count)]
    for size in (1, 3900, 5000, 60_000):
        entries.append(member(f"xattrs/{size}", pax={"SCHILY.xattr.user.big": "v" * size}))
        entries.append(member(f"xattrs/d{size}", tarfile.DIRTYPE, pax={"SCHILY.xattr.user.big": "v" * size}))
        entries.append(member(f"xattrs/d{size}/.wh..wh..opq"))
    entries.append(member("dirs/names/" + "n" * 255))
    entries += [member(f"dirs/names/{chr(c) * 250}") for c in range(97, 123)]
    entries.append(member("hard", tarfile.LNKTYPE, linkname="sizes/4097"))
    entries += [member("old", mtime=0), member("new", mtime=2**33)]
    return tar_of(entries)


@needs_fsck
def test_erofs_utils_finds_no_fault(tmp_path: Path) -> None:
    """With everything that a layer can hold in it."""
    done = subprocess.run(["fsck.erofs", write_erofs(everything(), tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_layer_gives_the_same_file(tmp_path: Path) -> None:
    """Byte for byte: no times, no random ids."""
    raw = everything()
    assert write_erofs(raw, tmp_path, "a").read_bytes() == write_erofs(raw, tmp_path, "b").read_bytes()


def test_the_superblock_says_what_is_in_the_file(tmp_path: Path) -> None:
    """Magic, block size, length, and an id taken from the layer's DiffID."""
    made = write_erofs(files_tar({"a": "b"}), tmp_path)
    raw = made.read_bytes()
    magic, _, _, block_bits, _, root, inodes = struct.unpack_from("<IIIBBHQ", raw, 1024)
    (blocks,) = struct.unpack_from("<I", raw, 1024 + 36)
    assert (magic, 1 << block_bits, root > 0, inodes) == (0xE0F5E1E2, 4096, True, 2)
    assert len(raw) == blocks * 4096


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Where a layer can be attached; all mounts are gone afterwards."""
    skip_unless_root("erofs", tmp_path)
    with no_mounts_left(tmp_path):
        yield tmp_path / "lower"


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    """All that can be seen of a tree, but for the sizes of directories, which are the file system's own."""
    found: dict[str, tuple[object, ...]] = {}
    for top, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(top, name)
            look = path.lstat()
            is_file = stat.S_ISREG(look.st_mode)
            found[str(path.relative_to(root))] = (
                look.st_mode,
                look.st_uid,
                look.st_gid,
                look.st_mtime_ns,
                look.st_rdev,
                None if stat.S_ISDIR(look.st_mode) else (look.st_size, look.st_nlink),
                path.read_bytes() if is_file else os.readlink(path) if path.is_symlink() else None,
                {
                    name: os.getxattr(path, name, follow_symlinks=False)
                    for name in os.listxattr(path, follow_symlinks=False)
                },
            )
    return found


@pytest.mark.host
def test_both_formats_show_the_same_files(mounted: Path, tmp_path: Path) -> None:
    """The kernel's view of our file, against a directory on its own file system."""
    # ext4 has no room for the largest attributes, nor for links of a page.
    raw = tar_of(_smaller(everything()))
    blob = tmp_path / "blob"
    blob.write_bytes(raw)
    unpack_layer(blob, tmp_path / "erofs", "erofs", Limits())
    unpack_layer(blob, tmp_path / "directory", "directory", Limits())
    FORMATS["erofs"].attach(tmp_path / "erofs", mounted)
    try:
        shown = listing(mounted)
    finally:
        FORMATS["erofs"].detach(mounted)
    assert len(shown) > 2400
    assert shown == listing(tmp_path / "directory/root")


def _smaller(raw: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for info in archive:
            data = archive.extractfile(info) if info.isreg() else None
            if info.name not in ("xattrs/5000", "xattrs/60000", "xattrs/d5000", "xattrs/d60000", "links/4095"):
                yield info, data.read() if data is not None else b""


@pytest.mark.host
def test_large_attributes_and_links_can_be_read(mounted: Path, tmp_path: Path) -> None:
    """What goes over a block is whole."""
    FORMATS["erofs"].attach(write_erofs(everything(), tmp_path), mounted)
    try:
        for size in (4032, 4033, 4095):
            assert os.readlink(mounted / f"links/{size}") == "x" * size
        for size in (1, 3900, 5000, 60_000):
            for name in (f"{size}", f"d{size}"):
                assert os.getxattr(mounted / "xattrs" / name, "user.big") == b"v" * size
            assert os.getxattr(mounted / f"xattrs/d{size}", "trusted.overlay.opaque") == b"y"
    finally:
        FORMATS["erofs"].detach(mounted)


_NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_characters="/"), min_size=1, max_size=120)


@pytest.mark.host
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(_NAMES, st.binary(max_size=9000), max_size=120))
def test_any_directory_can_be_listed_and_every_name_found(
    mounted: Path, tmp_path: Path, files: dict[str, bytes]
) -> None:
    """The kernel searches a directory by halves: one name out of order, and others are not found."""
    files = {name: data for name, data in files.items() if name not in (".", "..") and not name.startswith(".wh.")}
    FORMATS["erofs"].attach(
        write_erofs(files_tar({f"d/{name}": data for name, data in files.items()}), tmp_path), mounted
    )
    try:
        if files:
            assert sorted(os.listdir(mounted / "d")) == sorted(files)
        for name, data in files.items():
            assert (mounted / "d" / name).read_bytes() == data
    finally:
        FORMATS["erofs"].detach(mounted)


@pytest.mark.host
def test_where_files_can_not_be_mounted_a_loop_device_is_used(
    mounted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on kernels before 6.12; the device is free again after the mount."""
    real, sources = syscalls.mount, []

    def old_kernel(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
        sources.append(source)
        if not source.startswith("/dev/"):
            raise OSError(errno.ENOTBLK, "Block device required")
        real(source, target, kind, flags, options)

    monkeypatch.setattr(layers.syscalls, "mount", old_kernel)
    made = write_erofs(files_tar({"a": "through a loop"}), tmp_path)
    FORMATS["erofs"].attach(made, mounted)
    try:
        assert (mounted / "a").read_text() == "through a loop"
        assert Path(sources[1].replace("/dev/", "/sys/block/"), "loop/backing_file").read_text().strip() == str(made)
    finally:
        FORMATS["erofs"].detach(mounted)
    assert not Path(sources[1].replace("/dev/", "/sys/block/"), "loop/backing_file").exists()


@pytest.mark.host
def test_the_format_is_what_the_host_can_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried, not guessed; the trial leaves nothing."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    assert find_format(tmp_path) in ("erofs", "directory")

    def no_erofs(*_: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(layers.syscalls, "mount", no_erofs)
    assert find_format(tmp_path) == "directory"
    assert (os.listdir(tmp_path), find_mounts(tmp_path)) == ([], [])
