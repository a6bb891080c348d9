"""An image store without files: what the operations on images say and refuse."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from anyio.lowlevel import checkpoint

from tidegate.model.image import Image, ImageConfig
from tidegate.node.image.images import ImageError, ImageNotFound, Progress


class FakeImageStore:
    """Knows references. What is named `missing` can't be pulled; what is at a path ending in `.bad` can't be read."""

    def __init__(self, *references: str) -> None:
        self._references = set(references)

    def list(self) -> list[Image]:
        return [_image(reference) for reference in sorted(self._references)]

    def find(self, reference: str, architecture: str | None = None) -> Image | None:
        return _image(reference) if reference in self._references else None

    async def ensure(self, reference: str, architecture: str, progress: Progress | None = None) -> Image:
        await checkpoint()
        if "missing" in reference:
            raise ImageNotFound(f"{reference} does not exist")
        self._references.add(reference)
        return _image(reference)

    async def import_archive(self, path: Path, reference: str) -> Image:
        await checkpoint()
        if path.suffix == ".bad":
            raise ImageError("it is no archive")
        self._references.add(reference)
        return _image(reference)

    async def export_archive(self, reference: str, path: Path, kind: Literal["oci", "docker"]) -> None:
        await checkpoint()
        if reference not in self._references:
            raise ImageNotFound(f"there is no image {reference}")

    async def remove(self, reference: str) -> None:
        await checkpoint()
        self._references.discard(reference)

    async def collect_garbage(self, in_use: Iterable[str]) -> int:
        await checkpoint()
        return 0


def _image(reference: str) -> Image:
    return Image(
        references=(reference,),
        digest="sha256:" + "0" * 64,
        config=ImageConfig(),
        layers=(),
        size_bytes=1,
        created_at=1_700_000_000.0,
    )
