"""What an image says of the containers made from it."""

from __future__ import annotations

import msgspec


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an OCI image's configuration that a container starts from."""

    architecture: str = "x86_64"
    """As Tidegate names it: x86_64 or arm64."""
    user: str = ""
    environment: tuple[str, ...] = ()
    """NAME=value, in the image's order."""
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    stop_signal: str = ""
    """A name or a number; empty: SIGTERM."""
    volumes: tuple[str, ...] = ()
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is unpacked and ready to be started from."""

    references: tuple[str, ...]
    """Fully qualified names it is known by, e.g. docker.io/library/nginx:latest."""
    digest: str
    """sha256:... of its manifest."""
    config: ImageConfig
    layers: tuple[str, ...]
    """DiffIDs, lowest first."""
    size_bytes: int
    """Of the layers, uncompressed."""
    packed_bytes: int = 0
    """Of the layers as they came; 0 for an image of an older store."""
    created_at: float
    """When it came here."""
