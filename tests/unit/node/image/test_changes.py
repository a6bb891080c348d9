"""What a container changed is read from the upper directory of a real overlay, whatever it called its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.kernel import syscalls
from tidegate.node.image import changes
from tidegate.node.image.changes import ChangedFile, list_changed_files

pytestmark = pytest.mark.host


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Path]:
    """A root file system over an image of a few files; its upper directory is beside it."""
    lower, upper, work, rootfs = (tmp_path / name for name in ("lower", "upper", "work", "rootfs"))
    for path in (lower, upper, work, rootfs):
        path.mkdir()
    for name in ("etc/passwd", "etc/hosts", "usr/lib/a/one", "usr/lib/a/two", "old/x"):
        (lower / name).parent.mkdir(parents=True, exist_ok=True)
        (lower / name).write_text("image")
    syscalls.mount(
        "overlay", str(rootfs), "overlay", 0, f"lowerdir={lower},upperdir={upper},workdir={work},index=off,volatile"
    )
    try:
        yield rootfs
    finally:
        syscalls.umount(str(rootfs))


def told(rootfs: Path, limit: int = 100) -> dict[str, str]:
    return {file.path: file.change for file in list_changed_files(rootfs.parent / "upper", limit).files}


def test_what_was_changed_added_and_deleted(overlay: Path) -> None:
    """Each by its path in the container; directories of the image are only passed through."""
    (overlay / "etc/passwd").write_text("changed by the container")
    (overlay / "etc/hosts").unlink()
    (overlay / "new/deep").mkdir(parents=True)
    (overlay / "new/deep/file").write_bytes(bytes(3000))
    (overlay / "link").symlink_to("/etc/passwd")

    found = list_changed_files(overlay.parent / "upper", 100)
    by_path = {file.path: file for file in found.files}
    assert {path: (file.change, file.kind, file.size_bytes) for path, file in by_path.items()} == {
        "/etc/hosts": ("deleted", "unknown", 0),
        "/etc/passwd": ("changed", "file", 24),
        "/link": ("added", "symlink", 0),
        "/new": ("added", "directory", 0),
        "/new/deep": ("added", "directory", 0),
        "/new/deep/file": ("added", "file", 3000),
    }
    assert found.is_whole
    assert found.written_bytes == 3024
    assert by_path["/etc/passwd"].modified_at == (overlay / "etc/passwd").stat().st_mtime


def test_a_directory_that_was_made_anew(overlay: Path) -> None:
    """Deleted with all in it, then made again: it is new, and what it holds is."""
    for path in ("one", "two"):
        (overlay / "usr/lib/a" / path).unlink()
    (overlay / "usr/lib/a").rmdir()
    (overlay / "usr/lib/a").mkdir()
    (overlay / "usr/lib/a/three").touch()
    assert told(overlay) == {"/usr/lib/a": "added", "/usr/lib/a/three": "added"}


def test_a_container_that_changed_nothing(overlay: Path) -> None:
    """Reading leaves no trace, and neither does a directory that is not there."""
    assert (overlay / "etc/passwd").read_text() == "image"
    assert told(overlay) == {}
    assert list_changed_files(overlay / "none", 10).files == ()


def test_names_that_are_no_text(overlay: Path) -> None:
    """Bytes of any kind come out as text that can be shown; links are not followed."""
    os.mkdir(os.fsencode(overlay) + b"/\xff\nx")
    (overlay / "out").symlink_to(overlay.parent)
    assert told(overlay) == {"/out": "added", "/\\xff\nx": "added"}


def test_limits(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is listed than asked for, and no more looked at than is good; both are told."""
    for number in range(50):
        (overlay / f"f{number:02}").write_text("x")
    found = list_changed_files(overlay.parent / "upper", 10)
    assert [file.path for file in found.files] == [f"/f{number:02}" for number in range(10)]
    assert not found.is_whole
    assert found.written_bytes == 50
    monkeypatch.setattr(changes, "VISITED_LIMIT", 20)
    found = list_changed_files(overlay.parent / "upper", 100)
    assert len(found.files) == 20
    assert not found.is_whole


def test_a_tree_deeper_than_a_path_can_name(overlay: Path) -> None:
    """A container may nest directories without end: what can't be named is left out, and that is told."""
    here = os.open(overlay, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(40):
        os.mkdir("d" * 200, dir_fd=here)
        deeper = os.open("d" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    found = list_changed_files(overlay.parent / "upper", 100)
    assert 10 < len(found.files) < 40
    assert not found.is_whole
    assert all(isinstance(file, ChangedFile) and file.kind == "directory" for file in found.files)
