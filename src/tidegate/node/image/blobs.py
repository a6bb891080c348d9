"""Blobs by digest, as an OCI image layout keeps them: manifests, configurations, packed layers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tidegate.node.image.catalog import sync_directory, write_durably
from tidegate.node.image.document import MAX_DOCUMENT_BYTES, digest_of
from tidegate.node.image.images import ImageCorrupt


class Blobs:
    """`root`/sha256/HEX; `root` is what skopeo calls a shared blob directory. A blob under its name is whole."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self) -> None:
        """Make the directory."""
        (self.root / "sha256").mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be; `digest` must have been checked with `is_digest`."""
        return self.root / "sha256" / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def put(self, data: bytes) -> str:
        """Keep a small blob; its digest. Raises OSError."""
        digest = digest_of(data)
        write_durably(self.path(digest), data)
        return digest

    def adopt(self, file: Path, digest: str) -> None:
        """Take over a file on the same file system whose digest has been checked. Raises OSError."""
        os.rename(file, self.path(digest))
        sync_directory(self.root / "sha256")

    def read(self, digest: str) -> bytes:
        """A small blob, its digest checked; one that does not match is deleted. Raises ImageCorrupt, OSError."""
        path = self.path(digest)
        with open(path, "rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
        if digest_of(data) != digest:
            path.unlink(missing_ok=True)
            raise ImageCorrupt(f"cannot use the image: its blob {digest} has other contents")
        return data

    def drop_if_broken(self, digest: str) -> None:
        """Delete a blob of any size that has other contents than its name says. Raises OSError."""
        try:
            with open(self.path(digest), "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return
        if f"sha256:{found}" != digest:
            self.remove(digest)

    def remove(self, digest: str) -> int:
        """Delete a blob if it is there; the bytes it took."""
        path = self.path(digest)
        try:
            size = path.stat().st_blocks * 512
            path.unlink()
        except FileNotFoundError:
            return 0
        return size

    def digests(self) -> set[str]:
        """All that are here."""
        return {f"sha256:{name}" for name in os.listdir(self.root / "sha256") if len(name) == 64}
