"""What a pull may bring: looked at before it begins, and while it goes on, for what registries say need not be true."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.node.image.budget import DiskRoom, Limits
from tidegate.node.image.images import ImageCorrupt, ImageNoSpace
from tidegate.node.image.manifest import Manifest

_MIB = 1 << 20
SLACK_BYTES = 64 * _MIB
"""For manifests and configurations, which nobody declares the size of."""


class PullBudget:
    """Of one store. Its methods raise ImageError, OSError."""

    def __init__(self, limits: Limits, room: DiskRoom) -> None:
        self._limits = limits
        self._room = room

    def check_manifest(self, manifest: Manifest, has: Callable[[str], bool]) -> None:
        """Before anything is fetched. `has`: whether a blob is here already."""
        sizes = {layer.digest: layer.size for layer in manifest.layers}
        total = sum(sizes.values())
        if total > self._limits.image_bytes:
            raise ImageNoSpace(
                f"cannot pull the image: its layers take {total // _MIB} MiB packed, more than the largest disk of a "
                "task: no space left on device"
            )
        needed = sum(size for digest, size in sizes.items() if not has(digest))
        left = self._room.left_bytes()
        if needed > left:
            raise ImageNoSpace(
                f"cannot pull the image: its layers take {needed // _MIB} MiB packed, {left // _MIB} MiB are left for "
                "images: no space left on device"
            )

    def check_progress(self, declared_bytes: int, here_bytes: int) -> None:
        """Now and then while it comes."""
        if here_bytes > declared_bytes + SLACK_BYTES:
            raise ImageCorrupt(
                f"cannot pull the image: the registry has sent {here_bytes // _MIB} MiB of layers that are "
                f"{declared_bytes // _MIB} MiB by the manifest"
            )
        self._room.check()
