"""What the store holds, in one small file that is swapped whole: images, the names that lead to them, their layers."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tidegate.model.image import Image, ImageConfig


class LayerRecord(msgspec.Struct, frozen=True):
    """One unpacked layer."""

    number: int
    """Names its mount point; short, because all of them must fit into one page of mount options."""
    format: str
    bytes: int
    """Uncompressed."""
    entries: int = 0
    """0 for a layer of an older store."""


class ImageRecord(msgspec.Struct, frozen=True):
    """One image; it may have lost its names and wait to be collected."""

    digest: str
    manifest: str
    """
    The digest of the OCI manifest kept here; another than `digest` if the registry has the image in docker's format.
    """
    config: ImageConfig
    layers: tuple[str, ...]
    blobs: tuple[str, ...]
    """Everything its export needs: manifest, configuration, packed layers."""
    created_at: float
    packed_bytes: int = 0
    """Of the packed layers."""


class Contents(msgspec.Struct):
    """The file's contents."""

    version: int = 1
    next_number: int = 1
    images: dict[str, ImageRecord] = msgspec.field(default_factory=dict)
    """By digest."""
    references: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """By name, then architecture: a digest."""
    layers: dict[str, LayerRecord] = msgspec.field(default_factory=dict)
    """By DiffID."""
    unpacked: dict[str, str] = msgspec.field(default_factory=dict)
    """A packed layer's digest -> its DiffID, so that it is never unpacked twice."""


class Catalog:
    """Contents in memory; `write(encode())` keeps them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.contents = Contents()

    def load(self) -> None:
        """Raises ValueError if the file is not ours, OSError."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return
        try:
            self.contents = msgspec.json.decode(raw, type=Contents)
        except msgspec.DecodeError as error:
            raise ValueError(f"cannot read the image store's index {self._path}: {error}") from error
        if self.contents.version != 1:
            raise ValueError(f"cannot read the image store's index {self._path}: it was written by a newer version")

    def encode(self) -> bytes:
        """The contents as they are now."""
        return msgspec.json.encode(self.contents)

    def write(self, data: bytes) -> None:
        """Replace the file; durable when it returns. Raises OSError."""
        write_durably(self._path, data)

    def image(self, record: ImageRecord) -> Image:
        """The record as the contract shows it."""
        names = [name for name, variants in self.contents.references.items() if record.digest in variants.values()]
        return Image(
            references=tuple(sorted(names)),
            digest=record.digest,
            config=record.config,
            layers=record.layers,
            size_bytes=sum(self.contents.layers[layer].bytes for layer in record.layers),
            packed_bytes=record.packed_bytes,
            created_at=record.created_at,
        )

    def find(self, reference: str, architecture: str | None) -> Image | None:
        """
        Without an architecture: the only variant, or that which came last.

        A digest names the same image in every repository, so one that is here need not have come by this name.
        """
        _, at, digest = reference.partition("@")
        if at and digest in self.contents.images:
            record = self.contents.images[digest]
            return self.image(record) if architecture in (None, record.config.architecture) else None
        variants = self.contents.references.get(reference, {})
        digests = (
            [variants[architecture]] if architecture in variants else [] if architecture else list(variants.values())
        )
        records = [self.contents.images[digest] for digest in digests]
        return self.image(max(records, key=lambda record: record.created_at)) if records else None

    def name_image(self, reference: str, record: ImageRecord) -> None:
        """Let a name lead to an image, for its architecture."""
        self.contents.images[record.digest] = record
        self.contents.references.setdefault(reference, {})[record.config.architecture] = record.digest

    def new_number(self) -> int:
        """Never used before, so that a mount point never changes its meaning."""
        number = self.contents.next_number
        self.contents.next_number += 1
        return number


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file whole; after a crash it is the old one or the new one. Raises OSError."""
    aside = path.with_name(f".{path.name}.new")
    with open(aside, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable. Raises OSError."""
    fd = os.open(path, os.O_DIRECTORY | os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
