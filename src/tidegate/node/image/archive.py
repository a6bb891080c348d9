"""Tells archives of images from root file system tars, by what is in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from tidegate.node.image.images import ImageCorrupt
from tidegate.node.image.layerstream import LayerStream, open_unpacked
from tidegate.node.image.tarstream import TarError, TarReader

ArchiveKind = Literal["oci-archive", "docker-archive", "rootfs"]

# What `docker save`, `podman save` and skopeo write, of any age.
_IMAGE_NAME = re.compile(
    r"(blobs(/sha256(/[a-f0-9]{64})?)?|oci-layout|index\.json|manifest\.json|repositories"
    r"|[a-f0-9]{64}(\.json|\.tar|/(VERSION|json|layer\.tar))?)?\Z"
)
_MOST_BYTES = 1 << 40


def find_archive_kind(path: Path) -> ArchiveKind:
    """
    Reads to the first name that no image archive has, so a root file system is known at once. Raises ImageCorrupt,
    OSError.
    """
    seen = set()
    try:
        with open_unpacked(path) as source:
            stream = LayerStream(source, _MOST_BYTES)
            try:
                for entry in TarReader(stream.read):
                    name = entry.name.decode(errors="replace").removeprefix("./").rstrip("/")
                    if not _IMAGE_NAME.match("" if name == "." else name):
                        return "rootfs"
                    seen.add(name)
            finally:
                stream.close()
    except TarError as error:
        raise ImageCorrupt(f"cannot import {path.name}: it is no tar archive: {error}") from error
    if {"oci-layout", "index.json"} <= seen:
        return "oci-archive"
    if "manifest.json" in seen:
        return "docker-archive"
    if not seen:
        raise ImageCorrupt(f"cannot import {path.name}: it is empty, or no tar archive")
    return "rootfs"
