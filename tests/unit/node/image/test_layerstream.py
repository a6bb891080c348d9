"""A layer's bytes come out whatever it is packed with, hashed, and never more of them than allowed."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tidegate.node.image.layerstream import LayerStream, Unsupported, find_packing, open_unpacked
from tidegate.node.image.tarstream import TarError

DATA = os.urandom(1_500_000) + bytes(3_000_000)


def read_file(path: Path, most_bytes: int = 1 << 30) -> tuple[bytes, bytes]:
    with open_unpacked(path) as source:
        stream = LayerStream(source, most_bytes)
        try:
            data = stream.read(len(DATA) + 1)
            stream.drain()
        finally:
            stream.close()
    return data, stream.digest


def pack(packing: str, path: Path) -> Path:
    if packing == "plain":
        path.write_bytes(DATA)
    elif packing == "gzip":
        path.write_bytes(gzip.compress(DATA, 1))
    elif packing == "two gzip members":
        path.write_bytes(gzip.compress(DATA[:1000], 1) + gzip.compress(DATA[1000:], 9))
    else:
        path.write_bytes(subprocess.run(["zstd", "-c", "-q"], input=DATA, stdout=subprocess.PIPE, check=True).stdout)
    return path


PACKINGS = [
    "plain",
    "gzip",
    "two gzip members",
    pytest.param("zstd", marks=pytest.mark.skipif(shutil.which("zstd") is None, reason="needs zstd")),
]


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_bytes_and_their_digest_do_not_depend_on_the_packing(tmp_path: Path, packing: str) -> None:
    """The DiffID is that of the uncompressed archive."""
    assert read_file(pack(packing, tmp_path / "layer")) == (DATA, hashlib.sha256(DATA).digest())


@pytest.mark.parametrize("packing", PACKINGS[1:])
@pytest.mark.parametrize("damage", ["cut off", "changed", "cut in the head"])
def test_a_damaged_layer_is_refused_or_has_another_digest(tmp_path: Path, packing: str, damage: str) -> None:
    """Nothing broken passes for the whole."""
    path = pack(packing, tmp_path / "layer")
    raw = bytearray(path.read_bytes())
    if damage == "changed":
        raw[len(raw) // 2] ^= 1
    path.write_bytes(raw[: {"cut off": -20, "cut in the head": 6}.get(damage, len(raw))])
    try:
        _, digest = read_file(path)
    except TarError:
        return
    assert digest != hashlib.sha256(DATA).digest()


def test_a_layer_that_unpacks_to_more_than_allowed_is_stopped(tmp_path: Path) -> None:
    """A bomb costs the limit and a block, not its whole size."""
    with pytest.raises(TarError, match="unpacks to more than 2 MiB"):
        read_file(pack("gzip", tmp_path / "bomb"), most_bytes=2 << 20)


def test_without_zstd_the_message_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user can install it."""
    monkeypatch.setattr(shutil, "which", lambda program: None)
    path = tmp_path / "layer"
    path.write_bytes(b"\x28\xb5\x2f\xfd rest")
    with pytest.raises(Unsupported, match="zstd is not installed"):
        read_file(path)


def test_what_follows_the_archive_counts_for_the_digest() -> None:
    """Whoever stops at the archive's end still gets the whole layer's digest."""
    stream = LayerStream(io.BytesIO(DATA), 1 << 30)
    try:
        assert stream.read(10) == DATA[:10]
        stream.drain()
    finally:
        stream.close()
    assert (stream.digest, stream.size) == (hashlib.sha256(DATA).digest(), len(DATA))


def test_reads_of_any_size_give_the_same_bytes() -> None:
    """Across the blocks that are read ahead."""
    stream = LayerStream(io.BytesIO(DATA), 1 << 30)
    try:
        parts = [stream.read(count) for count in (0, 1, 511, 1 << 20, 3, 2 << 20, 5 << 20, 1)]
    finally:
        stream.close()
    assert b"".join(parts) == DATA


def test_giving_up_ends_the_thread_that_reads_ahead() -> None:
    """Even while it waits to hand over a block."""
    before = threading.active_count()
    stream = LayerStream(io.BytesIO(bytes(20 << 20)), 1 << 30)
    stream.read(1)
    stream.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "head, packing", [(b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"bin/", "plain"), (b"", "plain")]
)
def test_the_packing_is_told_by_the_first_bytes(head: bytes, packing: str) -> None:
    """Not by what a manifest claims."""
    assert find_packing(head) == packing
