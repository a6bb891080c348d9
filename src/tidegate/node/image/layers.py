"""
Unpacked layers on this host: where each is kept, and how it becomes a directory that overlayfs can stack.

Two formats behind one interface, chosen by what the host can do: `erofs` (a file, mounted read-only) and `directory`. A
store may hold both, after its host has changed.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from tidegate.kernel import syscalls
from tidegate.kernel.loop import attach_loop
from tidegate.node.image.budget import Limits
from tidegate.node.image.catalog import sync_directory
from tidegate.node.image.erofs import ErofsSink
from tidegate.node.image.layertree import LayerTree

FormatName = Literal["erofs", "directory"]


_UNREADABLE = {errno.ENOENT, errno.EINVAL, errno.EIO, errno.EUCLEAN, errno.ENOTDIR}


class UnreadableLayer(Exception):
    """A layer's content is gone, or is no file system."""

    def __init__(self, diff_id: str, error: OSError) -> None:
        super().__init__(f"cannot read layer {diff_id}: {error.strerror}")
        self.diff_id = diff_id


class LayerFormat(Protocol):
    """One way to keep an unpacked layer. `content` is what `unpack` made, `lower` the path that overlayfs is given."""

    def attach(self, content: Path, lower: Path) -> None:
        """Make the layer's root appear at `lower`. Raises OSError."""

    def detach(self, lower: Path) -> None:
        """Undo `attach`; what is stacked on the layer keeps it. Succeeds if there is nothing. Raises OSError."""


class ErofsFormat:
    """A file. Mounted from the file itself since Linux 6.12, else through a loop device."""

    def attach(self, content: Path, lower: Path) -> None:
        lower.mkdir(exist_ok=True)
        flags = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
        try:
            syscalls.mount(str(content), str(lower), "erofs", flags)
        except OSError as error:
            if error.errno != errno.ENOTBLK:
                raise
            # The loop device frees itself with the mount, which holds it once it is made.
            with open(content, "rb") as backing:
                fd, device = attach_loop(backing.fileno(), is_read_only=True)
            try:
                syscalls.mount(device, str(lower), "erofs", flags)
            finally:
                os.close(fd)

    def detach(self, lower: Path) -> None:
        try:
            syscalls.umount(str(lower))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                raise
        if lower.is_dir():
            lower.rmdir()


class DirectoryFormat:
    """A directory of files."""

    def attach(self, content: Path, lower: Path) -> None:
        (content / "root").stat()
        lower.unlink(missing_ok=True)
        lower.symlink_to(content / "root")

    def detach(self, lower: Path) -> None:
        lower.unlink(missing_ok=True)


FORMATS: dict[str, LayerFormat] = {"erofs": ErofsFormat(), "directory": DirectoryFormat()}


def find_format(directory: Path) -> FormatName:
    """What this host can do: erofs if a small one made in `directory` can be mounted there."""
    with tempfile.TemporaryDirectory(dir=directory) as made:
        content, lower = Path(made, "content"), Path(made, "lower")
        try:
            sink = ErofsSink(content)
            tree = LayerTree(Limits())
            sink.finish(tree, bytes(32))
            FORMATS["erofs"].attach(content, lower)
        except OSError:
            return "directory"
        finally:
            FORMATS["erofs"].detach(lower)
        return "erofs"


class LayerDirectory:
    """
    `layers/HEX/content` holds a layer, `l/NUMBER` is where it is attached, once, for as long as it exists; `l/0` is
    empty.

    Attaching and detaching are safe from several threads.
    """

    def __init__(self, directory: Path) -> None:
        self._layers = directory / "layers"
        self.lowers = directory / "l"
        self._attached: set[int] = set()
        self._lock = threading.Lock()

    def open(self) -> set[str]:
        """Find what is there and mounted already; the DiffIDs of the layers on the disk."""
        self._layers.mkdir(mode=0o700, exist_ok=True)
        (self.lowers / "0").mkdir(parents=True, exist_ok=True)
        self._attached = {int(path.name) for path in mounts_under(self.lowers) if path.name.isdigit()}
        return {f"sha256:{entry.name}" for entry in self._layers.iterdir()}

    def drop_unknown(self, numbers: set[int]) -> None:
        """Detach what a crash left of layers that are gone; `numbers` are those that are not. Raises OSError."""
        for number in self._attached - numbers:
            self.detach(number, "erofs")

    def put(self, diff_id: str, content: Path) -> None:
        """Take what `unpack` made, on the same file system. Raises OSError."""
        place = self._place(diff_id)
        if place.exists():
            # Left by a crash, or damaged: the new one has just been checked.
            remove_tree(place)
        place.mkdir(mode=0o700)
        os.rename(content, place / "content")
        sync_directory(place)
        sync_directory(self._layers)

    def attach(self, diff_id: str, number: int, layer_format: str) -> Path:
        """The path to stack; made if this is the first use. Raises UnreadableLayer, OSError."""
        lower = self.lowers / str(number)
        with self._lock:
            if number not in self._attached:
                try:
                    FORMATS[layer_format].attach(self._place(diff_id) / "content", lower)
                except OSError as error:
                    if error.errno in _UNREADABLE:
                        raise UnreadableLayer(diff_id, error) from error
                    raise
                self._attached.add(number)
        return lower

    def detach(self, number: int, layer_format: str) -> None:
        """Raises OSError."""
        with self._lock:
            FORMATS[layer_format].detach(self.lowers / str(number))
            self._attached.discard(number)

    def attached(self) -> set[int]:
        """The numbers of mounted layers, and of those used since the start."""
        return set(self._attached)

    def remove(self, diff_id: str) -> int:
        """Delete a layer that nothing names any more; the bytes it took."""
        return remove_tree(self._place(diff_id))

    def take_out(self, diff_id: str, aside: Path) -> None:
        """Move a layer to `aside`, where it can be deleted at leisure."""
        place = self._place(diff_id)
        if place.exists():
            os.rename(place, aside)

    def _place(self, diff_id: str) -> Path:
        return self._layers / diff_id.removeprefix("sha256:")


def mounts_under(directory: Path) -> list[Path]:
    """Mount points right under a directory, from /proc/self/mountinfo (proc(5): octal escapes)."""
    found = []
    prefix = str(directory.resolve())
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            raw = line.split(b" ", 5)[4]
            point = os.fsdecode(raw.decode("unicode_escape").encode("latin-1")) if b"\\" in raw else os.fsdecode(raw)
            head, _, _ = point.rpartition("/")
            if head == prefix:
                found.append(Path(point))
    return found


def remove_tree(path: Path) -> int:
    """Delete a file or directory, whatever it is; the bytes it took on the disk."""
    freed = 0
    if path.is_dir() and not path.is_symlink():
        for top, _, files in os.walk(path):
            for name in files:
                with suppress(FileNotFoundError):  # its writer lives on, and cleans up as well
                    freed += os.lstat(os.path.join(top, name)).st_blocks * 512
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        freed = path.stat().st_blocks * 512
        path.unlink()
    return freed
