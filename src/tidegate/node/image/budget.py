"""
What an image may cost before it is refused: a bomb, or nothing that any task could run.

Of a layer its files, its size, and how much more it is unpacked than packed; of an image all of that together; and of
the disk, whatever an image says of itself, no more than leaves a reserve for the host. It imports little: the process
that unpacks uses it as well.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Beyond them an image is refused. Of one layer, where nothing else is said."""

    entries: int = 1_000_000
    bytes: int = 64 << 30
    """Unpacked, holes included."""
    ratio: int = 500
    """Unpacked to packed bytes, looked at beyond `small_bytes`."""
    small_bytes: int = 1 << 30
    depth: int = 256
    metadata_bytes: int = 256 << 20
    """Names, targets of links and extended attributes: they are held in memory."""
    image_entries: int = 5_000_000
    image_bytes: int = 200 << 30
    """Of all layers of an image, packed and likewise unpacked: no task has a larger disk."""
    reserve_bytes: int = 0
    """Of the disk, what images leave free."""

    def most_bytes(self, packed_bytes: int) -> tuple[int, str]:
        """What a layer may unpack to, and what to say if it is more."""
        by_ratio = max(self.small_bytes, packed_bytes * self.ratio)
        if by_ratio < self.bytes:
            return by_ratio, f"it unpacks to more than {self.ratio} times its size, and more than {by_ratio >> 20} MiB"
        return self.bytes, f"it unpacks to more than {self.bytes >> 20} MiB"


class DiskRoom:
    """What there is for images on a disk."""

    def __init__(self, directory: Path, reserve_bytes: int) -> None:
        self._directory = directory
        self._reserve_bytes = reserve_bytes

    def left_bytes(self) -> int:
        """Above the reserve. Raises OSError."""
        found = os.statvfs(self._directory)
        return max(0, found.f_bavail * found.f_frsize - self._reserve_bytes)

    def check(self) -> None:
        """Raises OSError (ENOSPC) if there is nothing."""
        if self.left_bytes() == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._directory))
