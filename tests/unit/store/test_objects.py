"""Objects as files of a directory: found by bucket and key, and nothing outside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.store.objects import MAX_BYTES, ObjectDirectory, ObjectMissing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With two objects in a bucket, and something outside."""
    bucket = tmp_path / "s3" / "bucket"
    (bucket / "dir").mkdir(parents=True)
    (bucket / "a.env").write_text("A=1")
    (bucket / "dir" / "b.env").write_text("B=1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.env").write_text("canary")
    return tmp_path / "s3"


def test_objects_are_found(root: Path) -> None:
    """By their keys, with or without folders."""
    objects = ObjectDirectory(root)
    assert objects.read("bucket", "a.env") == b"A=1"
    assert objects.read("bucket", "dir/b.env") == b"B=1"


@pytest.mark.parametrize(
    ("bucket", "key", "code"),
    [
        ("bucket", "none.env", "NoSuchKey"),
        ("bucket", "dir", "NoSuchKey"),
        ("bucket", "a.env/x", "NoSuchKey"),
        ("bucket", "../../outside/secret.env", "NoSuchKey"),
        ("bucket", "dir/../a.env", "NoSuchKey"),
        ("bucket", "/etc/passwd", "NoSuchKey"),
        ("bucket", "dir//b.env", "NoSuchKey"),
        ("bucket", "a\0.env", "NoSuchKey"),
        ("bucket", "k" * 1025, "NoSuchKey"),
        ("none", "a.env", "NoSuchBucket"),
        ("..", "outside/secret.env", "NoSuchBucket"),
        ("Bucket", "a.env", "NoSuchBucket"),
        ("b/../..", "a.env", "NoSuchBucket"),
    ],
)
def test_what_is_not_there(root: Path, bucket: str, key: str, code: str) -> None:
    """With S3's code, and without a word of what is elsewhere."""
    with pytest.raises(ObjectMissing) as caught:
        ObjectDirectory(root).read(bucket, key)
    assert caught.value.code == code


def test_no_link_is_followed(root: Path) -> None:
    """Neither in place of the file, nor of a folder, nor of the bucket."""
    outside = root.parent / "outside"
    (root / "bucket" / "link.env").symlink_to(outside / "secret.env")
    (root / "bucket" / "folder").symlink_to(outside)
    (root / "linked").symlink_to(outside)
    for bucket, key in (("bucket", "link.env"), ("bucket", "folder/secret.env"), ("linked", "secret.env")):
        with pytest.raises(ObjectMissing):
            ObjectDirectory(root).read(bucket, key)


def test_what_is_no_file(root: Path) -> None:
    """A pipe that nobody writes to holds nobody up."""
    os.mkfifo(root / "bucket" / "pipe.env")
    with pytest.raises(ObjectMissing):
        ObjectDirectory(root).read("bucket", "pipe.env")


def test_size(root: Path) -> None:
    """A MiB and no more."""
    (root / "bucket" / "big.env").write_bytes(b"x" * MAX_BYTES)
    assert len(ObjectDirectory(root).read("bucket", "big.env")) == MAX_BYTES
    (root / "bucket" / "big.env").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(ObjectMissing) as caught:
        ObjectDirectory(root).read("bucket", "big.env")
    assert caught.value.code == "EntityTooLarge"


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    """Has no buckets."""
    with pytest.raises(ObjectMissing) as caught:
        ObjectDirectory(tmp_path / "none").read("bucket", "a.env")
    assert caught.value.code == "NoSuchBucket"


@given(st.text(), st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name(root: Path, bucket: str, key: str) -> None:
    """Is an object of the directory, or missing; no descriptor is left open."""
    before = len(os.listdir("/proc/self/fd"))
    for name in (bucket, "bucket"):
        try:
            assert b"canary" not in ObjectDirectory(root).read(name, key)
        except ObjectMissing:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
