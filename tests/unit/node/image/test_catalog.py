"""The store's index is swapped whole, and finds images by name, architecture and digest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tidegate.model.image import ImageConfig
from tidegate.node.image.catalog import Catalog, ImageRecord, LayerRecord, write_durably

NAME = "docker.io/library/app:latest"


def record(digest: str, architecture: str = "x86_64", created_at: float = 1.0) -> ImageRecord:
    return ImageRecord(
        digest=digest,
        manifest=digest,
        config=ImageConfig(architecture=architecture),
        layers=("sha256:l",),
        blobs=(digest,),
        created_at=created_at,
    )


def catalog_with(path: Path, *records: ImageRecord) -> Catalog:
    catalog = Catalog(path)
    catalog.contents.layers["sha256:l"] = LayerRecord(number=1, format="erofs", bytes=7)
    for each in records:
        catalog.name_image(NAME, each)
    return catalog


def test_what_was_written_is_loaded(tmp_path: Path) -> None:
    """All of it."""
    catalog = catalog_with(tmp_path / "index.json", record("sha256:a"))
    catalog.write(catalog.encode())
    again = Catalog(tmp_path / "index.json")
    again.load()
    assert again.contents == catalog.contents
    assert again.find(NAME, None) == catalog.find(NAME, None)


def test_a_missing_index_is_an_empty_store(tmp_path: Path) -> None:
    """The first start."""
    catalog = Catalog(tmp_path / "index.json")
    catalog.load()
    assert catalog.contents.images == {}


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"images": 1}', b'{"version": 2}'])
def test_an_index_that_is_not_ours_is_refused(tmp_path: Path, raw: bytes) -> None:
    """It is not overwritten: what it names would be deleted."""
    path = tmp_path / "index.json"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="cannot read the image store's index"):
        Catalog(path).load()
    assert path.read_bytes() == raw


def test_a_name_leads_to_one_image_for_each_architecture(tmp_path: Path) -> None:
    """Without an architecture to that which came last."""
    catalog = catalog_with(tmp_path / "i", record("sha256:a", "x86_64", 1), record("sha256:b", "arm64", 2))

    def digest_for(architecture: str | None) -> str | None:
        image = catalog.find(NAME, architecture)
        return image.digest if image else None

    assert [digest_for(a) for a in ("x86_64", "arm64", "s390x", None)] == ["sha256:a", "sha256:b", None, "sha256:b"]


def test_a_digest_is_found_in_any_repository(tmp_path: Path) -> None:
    """An imported image can be run by its digest, which no registry knows."""
    catalog = catalog_with(tmp_path / "i", record("sha256:a"))
    found = catalog.find("other.example/x@sha256:a", "x86_64")
    assert found is not None
    assert (found.digest, found.references, found.size_bytes) == ("sha256:a", (NAME,), 7)
    assert catalog.find("other.example/x@sha256:a", "arm64") is None
    assert catalog.find("other.example/x@sha256:b", None) is None


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    """Also not after a restart: a mount point keeps its meaning."""
    catalog = Catalog(tmp_path / "i")
    given = [catalog.new_number(), catalog.new_number()]
    catalog.write(catalog.encode())
    again = Catalog(tmp_path / "i")
    again.load()
    assert len({*given, again.new_number()}) == 3


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk shows when the new file is flushed, before it takes the old one's place."""
    path = tmp_path / "index.json"
    write_durably(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
