"""
The contract of the image store: references to images that are ready to start from.

Each layer is kept once as a read-only file system (`layers`), each image as a list of them and a configuration.
`ensure` may be called for the same image from many tasks at once: it is fetched once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol

from tidegate.model.execution import RegistryLogin
from tidegate.model.image import Image

Progress = Callable[[str], None]
"""Called with one line for people, e.g. `layer 2/5: 31 of 80 MB`."""


class ImageError(Exception):
    """An image can't be had. str() is the text after `CannotPullContainerError: ` in a task's reason.

    ImageError
     +- ImageNotFound      no such repository, tag or digest
     |   +- WrongPlatform  it is there, but not for the architecture
     +- ImageUnauthorized  the registry refuses our credentials, or wants some
     +- ImageUnreachable   the registry does not answer
     +- ImageCorrupt       a digest does not match, a layer can't be read, or tries to write outside the image
     +- ImageNoSpace       the disk is full
     +- PullTimeout        it came too slowly
    """


class ImageNotFound(ImageError):
    """See ImageError."""


class WrongPlatform(ImageNotFound):
    """See ImageError."""


class ImageUnauthorized(ImageError):
    """See ImageError."""


class ImageUnreachable(ImageError):
    """See ImageError."""


class ImageCorrupt(ImageError):
    """See ImageError."""


class ImageNoSpace(ImageError):
    """See ImageError."""


class PullTimeout(ImageError):
    """See ImageError. seconds: how long was waited."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return str(self.args[0])


class Images(Protocol):
    """Implementations: `store` (this host); a fake for tests of the node."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """Find what is on disk, drop what was half done; mounts may outlive the context."""

    async def ensure(
        self,
        reference: str,
        architecture: str,
        progress: Progress | None = None,
        *,
        login: RegistryLogin | None = None,
    ) -> Image:
        """
        The image, fetched from its registry if it isn't here. Raises ImageError.

        login: for the registry; without one it is what this host is logged in with.
        """

    def find(self, reference: str, architecture: str | None = None) -> Image | None:
        """The image if it is here. A short name means what docker means by it: docker.io/library/NAME:latest."""

    def list(self) -> Sequence[Image]:
        """All images, newest first."""

    async def import_archive(self, path: Path, reference: str, progress: Progress | None = None) -> Image:
        """Take in an OCI archive, docker archive or root file system tar, told apart by content. Raises ImageError."""

    async def export_archive(self, reference: str, path: Path, kind: Literal["oci", "docker"]) -> None:
        """Write an archive that other tools can load. Raises ImageError."""

    async def remove(self, reference: str) -> None:
        """Forget a reference; the layers go with the next `collect_garbage` if nothing else uses them."""

    async def collect_garbage(self, in_use: set[str]) -> int:
        """Delete layers of no image and no digest `in_use`; returns the bytes freed."""

    async def mount_rootfs(self, image: Image, directory: Path, written: Path | None = None) -> Path:
        """
        A writable root file system on top of the image's layers, mounted at `directory`/rootfs.

        What is written goes to `written`/upper (None: `directory`/upper), on whose disk it counts. Idempotent: one that
        is mounted already is given back.
        """

    async def unmount_rootfs(self, directory: Path, *, keep_written: bool = False) -> None:
        """
        Unmount what `mount_rootfs` made, and delete it. Idempotent. Raises OSError.

        keep_written: what was written stays; whoever deletes `directory` as a whole spares a task's end the time.
        """
