"""A new volume begins with what the image has at its place, and neither side can lead the copy astray."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tidegate.node.volume import filling
from tidegate.node.volume.filling import fill_volume

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are kept, which takes root")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """An image with a directory of everything."""
    data = tmp_path / "rootfs/srv/data"
    (data / "inner").mkdir(parents=True)
    (data / "inner/file").write_bytes(b"text" * 100_000)
    os.chown(data / "inner/file", 1000, 1001)
    (data / "inner/file").chmod(0o4750)
    os.utime(data / "inner/file", ns=(1, 1_500_000_000_123_456_789))
    os.setxattr(data / "inner/file", "user.note", b"kept")
    (data / "link").symlink_to("/etc/passwd")
    os.mkfifo(data / "pipe", 0o640)
    os.mknod(data / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    data.chmod(0o1770)
    os.chown(data, 7, 8)
    return tmp_path / "rootfs"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.mkdir()
    return path


def test_everything_is_as_in_the_image(rootfs: Path, volume: Path):
    """Contents, owners, modes, times, attributes, links, devices; and the directory's own."""
    fill_volume(rootfs, "/srv/data", volume)
    copied = os.stat(volume / "inner/file")
    assert (volume / "inner/file").read_bytes() == b"text" * 100_000
    assert (copied.st_uid, copied.st_gid, stat.S_IMODE(copied.st_mode)) == (1000, 1001, 0o4750)
    assert copied.st_mtime_ns == 1_500_000_000_123_456_789
    assert os.getxattr(volume / "inner/file", "user.note") == b"kept"
    assert os.readlink(volume / "link") == "/etc/passwd"
    assert stat.S_ISFIFO(os.stat(volume / "pipe").st_mode)
    assert stat.S_IMODE(os.stat(volume / "pipe").st_mode) == 0o640
    assert os.stat(volume / "null").st_rdev == os.makedev(1, 3)
    top = os.stat(volume)
    assert (top.st_uid, top.st_gid, stat.S_IMODE(top.st_mode)) == (7, 8, 0o1770)


def test_only_an_empty_volume_is_filled(rootfs: Path, volume: Path):
    """What a container has written stays as it is."""
    (volume / "mine").write_text("mine")
    fill_volume(rootfs, "/srv/data", volume)
    assert os.listdir(volume) == ["mine"]


def test_a_fill_that_was_cut_short(rootfs: Path, volume: Path):
    """Is done again: half a file becomes a whole one."""
    (volume / "inner").mkdir()
    (volume / "inner/file").write_bytes(b"te")
    fill_volume(rootfs, "/srv/data", volume, is_again=True)
    assert (volume / "inner/file").stat().st_size == 400_000
    assert (volume / "inner/file").stat().st_uid == 1000


@pytest.mark.parametrize("path", ["/missing", "/srv/data/inner/file", "/srv/data/link/x"])
def test_a_path_that_is_no_directory(rootfs: Path, volume: Path, path: str):
    """The volume begins empty."""
    fill_volume(rootfs, path, volume)
    assert os.listdir(volume) == []


def test_links_of_the_image_stay_inside_it(rootfs: Path, volume: Path, tmp_path: Path):
    """A path that leads through a link is what the container would see."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("host")
    (rootfs / "absolute").symlink_to(outside)
    (rootfs / "up").symlink_to("../outside")
    for path in ("/absolute", "/up", "/../outside"):
        fill_volume(rootfs, path, volume)
        assert os.listdir(volume) == []
    (rootfs / "inside").symlink_to("/srv/data/inner")
    fill_volume(rootfs, "/inside", volume)
    assert os.listdir(volume) == ["file"]


def test_what_another_container_puts_in_the_way(rootfs: Path, volume: Path, tmp_path: Path):
    """A link in the volume is not written through, even when a fill is done again."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("host")
    (volume / "inner").symlink_to(outside)
    (volume / "pipe").symlink_to(outside / "file")
    fill_volume(rootfs, "/srv/data", volume, is_again=True)
    assert (outside / "file").read_text() == "host"
    assert os.listdir(outside) == ["file"]
    assert stat.S_ISFIFO(os.lstat(volume / "pipe").st_mode)


def test_holes_stay_holes(rootfs: Path, volume: Path):
    """A file of nothing but holes and zeros, however large, fills no disk and takes no time."""
    with (rootfs / "srv/data/hole").open("wb") as file:
        file.seek(3 << 20)
        file.write(b"middle" + bytes(2 << 20))
        file.truncate(1 << 40)
    fill_volume(rootfs, "/srv/data", volume)
    copied = (volume / "hole").stat()
    assert (copied.st_size, copied.st_blocks * 512 <= 2 << 20) == (1 << 40, True)
    with (volume / "hole").open("rb") as file:
        file.seek(3 << 20)
        assert file.read(8) == b"middle\0\0"


def test_zeros_without_end(rootfs: Path, volume: Path, monkeypatch: pytest.MonkeyPatch):
    """Where holes can't be told from zeros they are read up to a limit."""
    monkeypatch.setattr(filling, "MOST_ZEROS_BYTES", 1 << 20)
    (rootfs / "srv/data/zeros").write_bytes(bytes(3 << 20))
    with pytest.raises(OSError, match="mostly empty"):
        fill_volume(rootfs, "/srv/data", volume)


def test_directories_without_end(rootfs: Path, volume: Path):
    """An error, not a crash."""
    here = os.open(rootfs / "srv/data", os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    with pytest.raises(OSError, match="nested too deeply"):
        fill_volume(rootfs, "/srv/data", volume)
