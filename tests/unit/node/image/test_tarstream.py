"""A tar archive is read as other tools read it, or refused."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.images import member, tar_of
from tidegate.node.image.layersink import pieces_of
from tidegate.node.image.tarstream import Entry, TarError, TarReader, parse_pax, read_number


def read_all(raw: bytes) -> list[tuple[Entry, bytes]]:
    """Every entry with its contents, holes filled."""
    reader = TarReader(io.BytesIO(raw).read)
    found = []
    for entry in reader:
        data = bytearray(entry.size)
        for offset, piece in pieces_of(reader, entry):
            data[offset : offset + len(piece)] = piece
        found.append((entry, bytes(data)))
    return found


_NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="/"), min_size=1, max_size=150)
_ENTRIES = st.lists(
    st.tuples(_NAMES, st.binary(max_size=1500), st.integers(0, 0o7777), st.integers(0, 2**31), st.integers(0, 2**33)),
    max_size=6,
)


@given(entries=_ENTRIES, form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_what_the_standard_library_writes_is_read_back(
    entries: list[tuple[str, bytes, int, int, int]], form: int
) -> None:
    """Names of any length, owners and times of any size, in pax and GNU archives."""
    made = [
        (member(name, mode=mode, uid=owner, gid=owner, mtime=mtime), data) for name, data, mode, owner, mtime in entries
    ]
    found = read_all(tar_of(made, form))
    assert [(entry.name.decode(), data, entry.mode, entry.uid, entry.gid, entry.mtime_ns) for entry, data in found] == [
        (name, data, mode, owner, owner, mtime * 10**9) for name, data, mode, owner, mtime in entries
    ]


@given(
    kind=st.sampled_from([b"0", b"1", b"2", b"5", b"L", b"K", b"x", b"g", b"S", b"\0"]),
    changes=st.lists(st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=12)), max_size=8),
    body=st.binary(max_size=1024),
)
def test_noise_is_refused_and_nothing_else_happens(kind: bytes, changes: list[tuple[int, bytes]], body: bytes) -> None:
    """No header, were its checksum right, makes the reader fail in another way than by its own error."""
    header = bytearray(member("name", kind, size=len(body)).tobuf(tarfile.GNU_FORMAT)[:512])
    for at, noise in changes:
        header[at : at + len(noise)] = noise
    header = header[:512]
    header[148:156] = b" " * 8
    header[148:156] = b"%07o\0" % sum(header)
    with contextlib.suppress(TarError):
        reader = TarReader(io.BytesIO(bytes(header) + body + bytes(512)).read)
        for entry in reader:
            for _ in pieces_of(reader, entry):
                pass


@given(
    at=st.integers(0, 511),
    value=st.integers(0, 255),
)
def test_a_header_that_was_changed_is_noticed(at: int, value: int) -> None:
    """Every byte of a header counts for its checksum."""
    raw = bytearray(tar_of([(member("name"), b"data")], tarfile.GNU_FORMAT))
    if raw[at] == value or 148 <= at < 156:
        return
    raw[at] = value
    with pytest.raises(TarError, match="checksum"):
        read_all(bytes(raw))


def test_links_devices_and_directories_are_told_apart() -> None:
    """Each kind comes with what belongs to it."""
    found = read_all(
        tar_of(
            [
                member("d", tarfile.DIRTYPE),
                member("s", tarfile.SYMTYPE, linkname="to/" + "x" * 200),
                member("h", tarfile.LNKTYPE, linkname="d/file"),
                member("c", tarfile.CHRTYPE, devmajor=1, devminor=3),
                member("b", tarfile.BLKTYPE, devmajor=8, devminor=300),
                member("f", tarfile.FIFOTYPE),
            ]
        )
    )
    assert [(entry.kind, entry.link[:6], entry.rdev) for entry, _ in found] == [
        (b"5", b"", (0, 0)),
        (b"2", b"to/xxx", (0, 0)),
        (b"1", b"d/file", (0, 0)),
        (b"3", b"", (1, 3)),
        (b"4", b"", (8, 300)),
        (b"6", b"", (0, 0)),
    ]


def test_extended_attributes_keep_every_byte() -> None:
    """A capability holds zero bytes and line feeds; its length counts, not its contents."""
    value = b"\x01\x00\x00\x02\n=\n\x00\xff"
    raw = tar_of([member("f", pax={"SCHILY.xattr.security.capability": value.decode("utf-8", "surrogateescape")})])
    ((entry, _),) = read_all(raw)
    assert entry.xattrs == {b"security.capability": value}


def test_global_headers_hold_for_all_that_follows() -> None:
    """`git archive` writes one; a header of one file goes before it."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "abc", "uid": "7"}
    ) as tar:
        tar.addfile(member("f"))
    ((entry, _),) = read_all(out.getvalue())
    assert (entry.name, entry.uid) == (b"f", 7)


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=posix", "--sparse-version=1.0"],
        ["--format=posix", "--sparse-version=0.1"],
    ],
)
@pytest.mark.parametrize("pieces", [1, 3, 60])
def test_sparse_files_of_gnu_tar_get_their_holes_back(tmp_path: Path, options: list[str], pieces: int) -> None:
    """In the three forms that it writes, with more pieces than a header has room for."""
    sparse = tmp_path / "sparse"
    with open(sparse, "wb") as file:
        for number in range(pieces):
            file.seek(number * 100_000 + 50_000)
            file.write(b"%04d" % number * 1024)
        file.truncate(pieces * 100_000 + 4_000_000)
    subprocess.run(["tar", "-C", tmp_path, "-S", *options, "-cf", tmp_path / "a.tar", "sparse"], check=True)
    raw = (tmp_path / "a.tar").read_bytes()
    assert len(raw) < sparse.stat().st_size
    ((entry, data),) = read_all(raw)
    assert (entry.name, data) == (b"sparse", sparse.read_bytes())


def test_the_oldest_sparse_form_of_pax_is_refused_by_name(tmp_path: Path) -> None:
    """It can't be read right, because its records repeat."""
    with open(tmp_path / "s", "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    subprocess.run(
        ["tar", "-C", tmp_path, "-S", "--format=posix", "--sparse-version=0.0", "-cf", tmp_path / "a.tar", "s"],
        check=True,
    )
    with pytest.raises(TarError, match="not supported"):
        read_all((tmp_path / "a.tar").read_bytes())


@pytest.mark.parametrize("cut", [100, 512, 700, 512 + 1024])
def test_an_archive_that_was_cut_off_is_refused(cut: int) -> None:
    """In a header, in data, in padding; an end without zero blocks is an end."""
    raw = tar_of([(member("f"), b"x" * 1030)], tarfile.GNU_FORMAT)[:cut]
    with pytest.raises(TarError):
        read_all(raw)


def test_an_archive_may_end_without_its_zero_blocks() -> None:
    """Some writers leave them out."""
    raw = tar_of([(member("f"), b"x" * 512)], tarfile.GNU_FORMAT)[:1024]
    assert [data for _, data in read_all(raw)] == [b"x" * 512]


@pytest.mark.parametrize("size", [(1 << 20) + 1, 8**11 - 1])
def test_a_header_that_only_eats_memory_is_refused(size: int) -> None:
    """A long name of a gigabyte is not read at all."""
    info = member("././@LongLink", b"L")
    info.size = size
    raw = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(TarError, match="too large"):
        read_all(raw + b"x" * 4096)


def test_an_unknown_kind_of_file_is_refused() -> None:
    """Skipping it would leave a file out."""
    with pytest.raises(TarError, match="no kind of file"):
        read_all(tar_of([member("f", b"Z")], tarfile.GNU_FORMAT))


@pytest.mark.parametrize(
    "raw", [b"5 a=b\n", b"99 a=b\n", b"6 a=bc\n", b"x a=b\n", b"7 aabb\n", b"6 =bc\n", b"-6 a=b\n"]
)
def test_broken_pax_records_are_refused(raw: bytes) -> None:
    """A length that does not fit its record could hide another one."""
    with pytest.raises(TarError):
        parse_pax(raw)


@pytest.mark.parametrize(
    "raw, number",
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"\0" * 8, 0),
        (b"\x80" + b"\0" * 6 + b"\x05", 5),
        (b"\x80" + b"\0" * 3 + b"\x80\0\0\0", 1 << 31),
        (b"\xff" * 8, -1),
    ],
)
def test_numbers_are_octal_or_binary(raw: bytes, number: int) -> None:
    """Base-256, where octal digits don't suffice, is signed."""
    assert read_number(raw) == number


@pytest.mark.parametrize("raw", [b"0000888\0", b"12ab    ", b"-0000001"])
def test_what_is_no_number_is_refused(raw: bytes) -> None:
    """A size that is guessed would move all that follows."""
    with pytest.raises(TarError, match="not a number"):
        read_number(raw)
