"""Manifests, indexes and configurations are read whatever is optional, and refused where they are wrong."""

from __future__ import annotations

import json

import pytest

from fixtures.images import DOCKER_MANIFEST, files_tar, make_image, make_index
from tidegate.node.image.document import MAX_DOCUMENT_BYTES, digest_of
from tidegate.node.image.images import ImageCorrupt, ImageNotFound
from tidegate.node.image.manifest import encode, find_variant, is_index, parse_manifest

LAYER = files_tar({"a": "b"})
DIFF_ID = digest_of(LAYER)


@pytest.mark.parametrize("media_type", ["application/vnd.oci.image.manifest.v1+json", DOCKER_MANIFEST])
def test_a_manifest_names_configuration_and_layers(media_type: str) -> None:
    """In OCI's and in docker's format."""
    image = make_image([LAYER, LAYER], media_type=media_type)
    manifest = parse_manifest(image.manifest)
    assert tuple(layer.digest for layer in manifest.layers) == image.layers
    assert manifest.config.digest in image.blobs


def test_a_manifest_that_is_written_is_read_back() -> None:
    """With the same bytes each time."""
    manifest = parse_manifest(make_image([LAYER]).manifest)
    assert parse_manifest(encode(manifest)) == manifest
    assert encode(manifest) == encode(manifest)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"schemaVersion": 1, "config": {}, "layers": []}',
        b'{"schemaVersion": 1, "config": {"digest": "sha256:%s", "size": 1}, "layers": []}' % (b"a" * 64),
        b'{"schemaVersion": 2, "config": {"digest": "sha256:../../etc/passwd", "size": 1}, "layers": []}',
        b'{"schemaVersion": 2, "config": {"digest": "sha256:%s", "size": -1}, "layers": []}' % (b"a" * 64),
        b"[" * 100_000,
        b" " * (MAX_DOCUMENT_BYTES + 1),
    ],
)
def test_what_is_no_manifest_is_corrupt(raw: bytes) -> None:
    """A digest becomes a file name: nothing but a digest passes."""
    with pytest.raises(ImageCorrupt):
        parse_manifest(raw)


def test_too_many_layers_are_refused_before_they_are_fetched() -> None:
    """overlayfs could not stack them."""
    with pytest.raises(ImageCorrupt, match="129 layers"):
        parse_manifest(make_image([LAYER] * 129).manifest)


def test_the_variant_for_the_architecture_is_found() -> None:
    """By the names that AWS and this project use for architectures."""
    intel, arm = make_image([LAYER]), make_image([LAYER], architecture="arm64")
    raw = make_index([arm, intel])
    assert is_index(raw)
    assert not is_index(intel.manifest)
    assert find_variant(raw, "x86_64").digest == intel.digest
    assert find_variant(raw, "arm64").digest == arm.digest


def test_without_a_variant_the_message_is_awss() -> None:
    """As its list of CannotPullContainer errors has it."""
    with pytest.raises(ImageNotFound) as caught:
        find_variant(make_index([make_image([LAYER])]), "arm64")
    assert str(caught.value) == "image Manifest does not contain descriptor matching platform 'linux/arm64'"


def test_entries_without_a_platform_are_passed_over() -> None:
    """Attestations of buildkit are of the platform unknown/unknown."""
    image = make_image([LAYER])
    index = json.loads(make_index([image, image]))
    index["manifests"][0]["platform"] = {"os": "unknown", "architecture": "unknown"}
    del index["manifests"][1]["platform"]
    with pytest.raises(ImageNotFound):
        find_variant(json.dumps(index).encode(), "x86_64")
