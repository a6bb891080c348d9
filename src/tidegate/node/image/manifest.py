"""
What registries and archives say of an image: manifests, indexes and configurations, read as hostile input (OCI image
specification, docker's manifest version 2 schema 2).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from tidegate.model.image import ImageConfig
from tidegate.node.image.images import ImageCorrupt, ImageNotFound

T = TypeVar("T")

MAX_MANIFEST_BYTES = 4 << 20
"""As registries and containerd have it."""
MAX_LAYERS = 128
"""As docker; the names of more would not fit into a page of mount options wherever the store is."""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}\Z")


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


class _Inner(msgspec.Struct, frozen=True):
    user: str | None = msgspec.field(default=None, name="User")
    env: tuple[str, ...] | None = msgspec.field(default=None, name="Env")
    entry_point: tuple[str, ...] | None = msgspec.field(default=None, name="Entrypoint")
    command: tuple[str, ...] | None = msgspec.field(default=None, name="Cmd")
    working_directory: str | None = msgspec.field(default=None, name="WorkingDir")
    stop_signal: str | None = msgspec.field(default=None, name="StopSignal")
    volumes: dict[str, Any] | None = msgspec.field(default=None, name="Volumes")
    labels: dict[str, str] | None = msgspec.field(default=None, name="Labels")


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] = ()


class _Config(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = "linux"
    config: _Inner | None = None
    rootfs: _RootFs = _RootFs()


def digest_of(data: bytes) -> str:
    """sha256:..."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """If the text is a digest that this store can use as a file name."""
    return _DIGEST.match(text) is not None


def is_index(raw: bytes) -> bool:
    """If a manifest lists images by platform."""
    kind = _decode(raw, dict[str, Any], "manifest")
    media_type = kind.get("mediaType")
    return media_type in (OCI_INDEX, _DOCKER_LIST) or (media_type is None and "manifests" in kind)


def find_variant(raw: bytes, architecture: str) -> Descriptor:
    """The entry of an index for this architecture. Raises ImageNotFound in AWS's words, ImageCorrupt."""
    wanted = _ARCHITECTURES.get(architecture, architecture)
    for entry in _decode(raw, _Index, "index").manifests:
        platform = entry.platform
        if platform is not None and platform.os == "linux" and platform.architecture == wanted:
            _check_descriptors([entry])
            return entry
    raise wrong_platform(architecture)


def wrong_platform(architecture: str) -> ImageNotFound:
    """AWS's message (CannotPullContainer task errors)."""
    wanted = _ARCHITECTURES.get(architecture, architecture)
    return ImageNotFound(f"image Manifest does not contain descriptor matching platform 'linux/{wanted}'")


def parse_manifest(raw: bytes) -> Manifest:
    """Raises ImageCorrupt."""
    manifest = _decode(raw, Manifest, "manifest")
    if manifest.schema_version != 2:
        raise ImageCorrupt(f"cannot use the image: manifests of version {manifest.schema_version} are not supported")
    _check_descriptors([manifest.config, *manifest.layers])
    if len(manifest.layers) > MAX_LAYERS:
        raise ImageCorrupt(f"cannot use the image: it has {len(manifest.layers)} layers, more than {MAX_LAYERS}")
    return manifest


def parse_config(raw: bytes) -> tuple[ImageConfig, tuple[str, ...]]:
    """What containers start from, and the layers' DiffIDs. Raises ImageCorrupt."""
    outer = _decode(raw, _Config, "configuration")
    inner = outer.config or _Inner()
    if not all(is_digest(diff_id) for diff_id in outer.rootfs.diff_ids):
        raise ImageCorrupt("cannot read the image's configuration: a layer has no valid DiffID")
    names = {theirs: ours for ours, theirs in _ARCHITECTURES.items()}
    config = ImageConfig(
        architecture=names.get(outer.architecture, outer.architecture),
        user=inner.user or "",
        environment=inner.env or (),
        entry_point=inner.entry_point or (),
        command=inner.command or (),
        working_directory=inner.working_directory or "",
        stop_signal=inner.stop_signal or "",
        volumes=tuple(inner.volumes or ()),
        labels=inner.labels or {},
    )
    return config, outer.rootfs.diff_ids


def render_config(config: ImageConfig, diff_ids: Sequence[str]) -> bytes:
    """The OCI configuration of an image made here: the same for the same input."""
    inner = _Inner(
        user=config.user or None,
        env=config.environment or None,
        entry_point=config.entry_point or None,
        command=config.command or None,
        working_directory=config.working_directory or None,
        stop_signal=config.stop_signal or None,
        volumes={path: {} for path in config.volumes} or None,
        labels=config.labels or None,
    )
    known = {key: value for key, value in msgspec.to_builtins(inner).items() if value is not None}
    return msgspec.json.encode(
        {
            "architecture": _ARCHITECTURES.get(config.architecture, config.architecture),
            "os": "linux",
            "config": known,
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        }
    )


def _check_descriptors(descriptors: Sequence[Descriptor]) -> None:
    for descriptor in descriptors:
        if not is_digest(descriptor.digest) or descriptor.size < 0:
            raise ImageCorrupt(
                f"cannot read the image's manifest: {descriptor.digest[:80]!r} is no digest that is supported"
            )


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    if len(raw) > MAX_MANIFEST_BYTES:
        raise ImageCorrupt(f"cannot read the image's {what}: {len(raw)} bytes are too many")
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ImageCorrupt(f"cannot read the image's {what}: {error}") from error


def encode(manifest: Manifest) -> bytes:
    """The same bytes for the same manifest."""
    return msgspec.json.encode(manifest)


def index_digests(raw: bytes) -> list[str]:
    """What an index lists. Raises ImageCorrupt."""
    entries = _decode(raw, _Index, "index").manifests
    _check_descriptors(entries)
    return [entry.digest for entry in entries]


def render_index(descriptor: Descriptor) -> bytes:
    """The index of an OCI layout of one image."""
    return msgspec.json.encode({"schemaVersion": 2, "manifests": [descriptor]})
