"""
What registries and archives say of an image: manifests and indexes, read as hostile input (OCI image
specification, docker's manifest version 2 schema 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tidegate.node.image.document import ARCHITECTURES, decode, is_digest
from tidegate.node.image.images import ImageCorrupt, WrongPlatform

MAX_LAYERS = 128
"""As docker; the names of more would not fit into a page of mount options wherever the store is."""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


class Platform(msgspec.Struct, frozen=True):
    """As in an index."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A blob by digest."""

    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """One image for one platform."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = OCI_MANIFEST


class _Index(msgspec.Struct, frozen=True):
    manifests: tuple[Descriptor, ...]


def is_index(raw: bytes) -> bool:
    """If a manifest lists images by platform."""
    kind = decode(raw, dict[str, Any], "manifest")
    media_type = kind.get("mediaType")
    return media_type in (_OCI_INDEX, _DOCKER_LIST) or (media_type is None and "manifests" in kind)


def find_variant(raw: bytes, architecture: str) -> Descriptor:
    """The entry of an index for this architecture. Raises WrongPlatform in AWS's words, ImageCorrupt."""
    wanted = ARCHITECTURES.get(architecture, architecture)
    for entry in decode(raw, _Index, "index").manifests:
        platform = entry.platform
        if platform is not None and platform.os == "linux" and platform.architecture == wanted:
            _check_descriptors([entry])
            return entry
    raise wrong_platform(architecture)


def wrong_platform(architecture: str) -> WrongPlatform:
    """AWS's message (CannotPullContainer task errors)."""
    wanted = ARCHITECTURES.get(architecture, architecture)
    return WrongPlatform(f"image Manifest does not contain descriptor matching platform 'linux/{wanted}'")


def parse_manifest(raw: bytes) -> Manifest:
    """Raises ImageCorrupt."""
    manifest = decode(raw, Manifest, "manifest")
    if manifest.schema_version != 2:
        raise ImageCorrupt(f"cannot use the image: manifests of version {manifest.schema_version} are not supported")
    _check_descriptors([manifest.config, *manifest.layers])
    if len(manifest.layers) > MAX_LAYERS:
        raise ImageCorrupt(f"cannot use the image: it has {len(manifest.layers)} layers, more than {MAX_LAYERS}")
    return manifest


def _check_descriptors(descriptors: Sequence[Descriptor]) -> None:
    for descriptor in descriptors:
        if not is_digest(descriptor.digest) or descriptor.size < 0:
            raise ImageCorrupt(
                f"cannot read the image's manifest: {descriptor.digest[:80]!r} is no digest that is supported"
            )


def encode(manifest: Manifest) -> bytes:
    """The same bytes for the same manifest."""
    return msgspec.json.encode(manifest)


def index_digests(raw: bytes) -> list[str]:
    """What an index lists. Raises ImageCorrupt."""
    entries = decode(raw, _Index, "index").manifests
    _check_descriptors(entries)
    return [entry.digest for entry in entries]


def render_index(descriptor: Descriptor) -> bytes:
    """The index of an OCI layout of one image."""
    return msgspec.json.encode({"schemaVersion": 2, "manifests": [descriptor]})
