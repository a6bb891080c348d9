"""Trees as tar streams, there and back: whatever a tree holds, and whatever a stream says."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.model.session import CopyReport
from tidegate.node.files import unpack as unpack_module
from tidegate.node.files.chunks import ChunkReader
from tidegate.node.files.copy import copy_in, copy_out
from tidegate.node.files.pack import CHUNK_BYTES, CopyFailure, Packer
from tidegate.node.files.unpack import Unpacker


def pack(path: Path, name: str = "top") -> tuple[bytes, CopyReport]:
    parts: list[bytes] = []
    place = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        report = Packer(parts.append).pack(place, name)
    finally:
        os.close(place)
    assert all(0 < len(part) <= CHUNK_BYTES for part in parts)
    return b"".join(parts), report


def unpack(data: bytes, directory: Path, rename: bytes | None = None) -> CopyReport:
    held = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        return Unpacker(held, rename).unpack(io.BytesIO(data).read)
    finally:
        os.close(held)


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=3000), max_size=6), names)
def test_there_and_back(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], top: str):
    """Any names and any contents arrive as they were."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    for name, data in files.items():
        (here / name).write_bytes(data)
    data, report = pack(here, top)
    assert report.files == len(files)
    assert unpack(data, there).files == len(files)
    assert {path.name: path.read_bytes() for path in (there / top).iterdir()} == files


def test_other_tools_read_it(tmp_path: Path):
    """What is packed is a tar archive to others, long names and links included."""
    (tmp_path / ("d" * 150)).mkdir()
    (tmp_path / ("d" * 150) / ("f" * 150)).write_text("x")
    (tmp_path / "link").symlink_to("l" * 150)
    data, _ = pack(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getmember(f"top/{'d' * 150}/{'f' * 150}").size == 1
        assert archive.getmember("top/link").linkname == "l" * 150


def test_a_file_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that shrinks is filled up with zeros, one that grows is cut: the archive stays whole."""
    (tmp_path / "log").write_bytes(b"x" * 1000)
    real = os.open

    def shrink(path: object, flags: int, *more: object, **options: object) -> int:
        if str(path).startswith("/proc/self/fd/") and not flags & os.O_DIRECTORY:
            os.truncate(tmp_path / "log", 10)
        return real(path, flags, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", shrink)
    data, _ = pack(tmp_path / "log", "log")
    monkeypatch.undo()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = archive.extractfile("log")
        assert found is not None
        assert found.read() == b"x" * 10 + bytes(990)


def test_what_is_no_file_is_never_opened(tmp_path: Path):
    """Devices, pipes and sockets are left out, and named without their control characters."""
    os.mkfifo(tmp_path / "pipe\x1b[31m")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        data, report = pack(tmp_path)
    assert report.skipped == (
        "top/pipe\\x1b[31m is no file: a device, a socket or a pipe",
        "top/socket is no file: a device, a socket or a pipe",
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["top"]


def test_the_kernels_own_are_no_files():
    """/proc and /sys are left out: reading them would never end, or do something."""
    _, report = pack(Path("/proc"), "proc")
    assert report == CopyReport(skipped=("proc is made up by the kernel",))


@given(st.binary(max_size=2000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    """Bytes are an archive or are refused; nothing appears outside of the directory."""
    outer = tmp_path_factory.mktemp("outer")
    (outer / "inner").mkdir()
    with contextlib.suppress(CopyFailure):
        unpack(data, outer / "inner")
    assert [path.name for path in outer.iterdir()] == ["inner"]


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b", "link"]), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_no_name_leads_out(tmp_path_factory: pytest.TempPathFactory, parts: list[str]):
    """Whatever steps a name is made of, also over links that point out, nothing is written outside."""
    outer = tmp_path_factory.mktemp("outer")
    (outer / "inner/a").mkdir(parents=True)
    (outer / "secret").mkdir()
    (outer / "inner/link").symlink_to("../secret")
    (outer / "inner/a/link").symlink_to(outer / "secret")
    info = tarfile.TarInfo("/".join([*parts, "out"]))
    info.size = 1
    with contextlib.suppress(CopyFailure):
        unpack(info.tobuf() + b"x".ljust(512, b"\0") + bytes(1024), outer / "inner")
    assert list((outer / "secret").iterdir()) == []
    assert sorted(path.name for path in outer.iterdir()) == ["inner", "secret"]


def test_replaced_files_are_new_ones(tmp_path: Path):
    """Whoever has the old file open keeps it, and a link in its place is replaced rather than written through."""
    (tmp_path / "target").write_text("kept")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/file").write_text("old")
    (tmp_path / "here/link").symlink_to(tmp_path / "target")
    with (tmp_path / "here/file").open() as old:
        (tmp_path / "new").write_text("new")
        for name in (b"file", b"link"):
            unpack(pack(tmp_path / "new", "new")[0], tmp_path / "here", name)
        assert old.read() == "old"
    assert (tmp_path / "here/file").read_text() == (tmp_path / "here/link").read_text() == "new"
    assert (tmp_path / "target").read_text() == "kept"


def test_a_directory_in_the_way_of_a_file(tmp_path: Path):
    """It is not deleted for that; what can't be is said."""
    (tmp_path / "d/new").mkdir(parents=True)
    (tmp_path / "new").write_text("new")
    with pytest.raises(CopyFailure, match="cannot write new: Is a directory"):
        unpack(pack(tmp_path / "new", "new")[0], tmp_path / "d")


def test_renamed_archives_have_one_top(tmp_path: Path):
    """What is to get a name of its own must be one thing."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("a", "b"):
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(CopyFailure, match="more than one top entry"):
        unpack(out.getvalue(), tmp_path, b"x")


def test_modes_of_directories_come_last(tmp_path: Path):
    """A directory that may not be written to is filled first; its time is that of the archive."""
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/sub/file").write_text("x")
    os.chmod(tmp_path / "tree/sub", 0o555)
    os.utime(tmp_path / "tree/sub", (0, 1_000_000_000))
    (tmp_path / "to").mkdir()
    unpack(pack(tmp_path / "tree", "tree")[0], tmp_path / "to")
    status = (tmp_path / "to/tree/sub").stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o555, 1_000_000_000)


def test_entries_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An archive of endless entries is refused in the end."""
    monkeypatch.setattr(unpack_module, "MOST_ENTRIES", 3)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(4):
            archive.addfile(tarfile.TarInfo(str(number)))
    with pytest.raises(CopyFailure, match="more than 3 entries"):
        unpack(out.getvalue(), tmp_path)


def test_paths_stay_in_the_root(tmp_path: Path):
    """Absolute paths, `..` and links are those of the root, not of the host."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/name").write_text("inside")
    (tmp_path / "name").write_text("outside")
    (root / "up").symlink_to("../../..")
    (root / "abs").symlink_to("/etc/name")
    held = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        for path in ("/etc/name", "../etc/name", "/up/etc/name", "/abs", "/../../etc/./name"):
            parts: list[bytes] = []
            copy_out(held, path, parts.append)
            assert b"inside" in b"".join(parts)
        with pytest.raises(CopyFailure, match="No such file or directory"):
            copy_out(held, "/up/name", lambda _: None)
        data, _ = pack(tmp_path / "name", "name")
        pieces = iter([data, b""])
        copy_in(held, "/up/written", lambda: next(pieces), into_directory=False)
        assert (root / "written").read_text() == "outside"
    finally:
        os.close(held)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=8), st.lists(st.integers(0, 12), max_size=8))
def test_exactly_so_many_bytes(pieces: list[bytes], wanted: list[int]):
    """Pieces of any size are read in counts of any size, in order and without loss."""
    left = iter([*pieces, b"", b""])
    reader = ChunkReader(lambda: next(left))
    whole = io.BytesIO(b"".join(pieces))
    for count in wanted:
        assert reader.read(count) == whole.read(count)
