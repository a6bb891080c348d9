"""Archives are told apart by what is in them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from fixtures.images import files_tar, make_image, member, tar_of, write_docker_archive, write_oci_archive
from tidegate.node.image.archive import find_archive_kind
from tidegate.node.image.images import ImageCorrupt

LAYER = files_tar({"etc/a": "b"})


def test_an_oci_archive(tmp_path: Path) -> None:
    """By its index and layout file, which come last; packed as well."""
    path = write_oci_archive(make_image([LAYER]), tmp_path / "a")
    assert find_archive_kind(path) == "oci-archive"
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert find_archive_kind(path) == "oci-archive"


def test_a_docker_archive(tmp_path: Path) -> None:
    """By its manifest.json."""
    assert find_archive_kind(write_docker_archive([LAYER], tmp_path / "a")) == "docker-archive"


def test_what_newer_dockers_save_is_both(tmp_path: Path) -> None:
    """The OCI side of it is complete."""
    path = write_oci_archive(make_image([LAYER]), tmp_path / "a")
    raw = files_tar({"oci-layout": "{}", "index.json": "{}", "manifest.json": "[]", "repositories": "{}"})
    path.write_bytes(raw)
    assert find_archive_kind(path) == "oci-archive"


@pytest.mark.parametrize(
    "raw",
    [
        files_tar({"./bin/sh": "x"}),
        files_tar({"manifest.json": "{}", "srv/app": "x"}),
        files_tar({"index.json": "{}", "etc/passwd": "x"}),
        tar_of([member("./", b"5"), member("./usr", b"5")]),
        files_tar({"index.json": "a website of one file"}),
    ],
)
def test_everything_else_is_a_root_file_system(tmp_path: Path, raw: bytes) -> None:
    """Also one that has files of such names among others."""
    path = tmp_path / "a"
    path.write_bytes(raw)
    assert find_archive_kind(path) == "rootfs"


@pytest.mark.parametrize("raw", [b"", b"hello" * 500, bytes(1024), gzip.compress(b"hello")])
def test_what_is_no_archive_is_refused(tmp_path: Path, raw: bytes) -> None:
    """By name."""
    path = tmp_path / "thing"
    path.write_bytes(raw)
    with pytest.raises(ImageCorrupt, match="cannot import thing"):
        find_archive_kind(path)
