"""
Copies between a container's root file system and a tar stream.

The root is that of the container's first process, so what is mounted in the container is there as the container sees
it: volumes are included, and what is read-only for it is read-only for us.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import PurePosixPath

from tidegate.kernel.inroot import open_in_root
from tidegate.model.session import CopyReport
from tidegate.node.files.chunks import ChunkReader
from tidegate.node.files.pack import CopyFailure, Packer, printable
from tidegate.node.files.unpack import Unpacker

_NAME_OF_ROOT = "root"


def copy_out(root: int, path: str, send: Callable[[bytes], None]) -> CopyReport:
    """
    Send what is at `path` as a tar stream whose top entry has the path's last name; a link there is followed.

    Raises CopyFailure; what `send` raises comes through.
    """
    try:
        place = open_in_root(root, path, os.O_PATH)
    except OSError as error:
        raise CopyFailure(f"cannot copy {printable(path)}: {os.strerror(error.errno or 0)}") from error
    try:
        return Packer(send).pack(place, PurePosixPath(path).name or _NAME_OF_ROOT)
    except OSError as error:
        raise CopyFailure(f"cannot copy {printable(path)}: {os.strerror(error.errno or 0)}") from error
    finally:
        os.close(place)


def copy_in(root: int, path: str, get: Callable[[], bytes], *, into_directory: bool) -> CopyReport:
    """
    Unpack a tar stream into the directory `path`; or, if there is none, as `path`, with a single top entry.

    get: the next piece of the stream, empty at its end. into_directory: there must be such a directory. Raises
    CopyFailure; what `get` raises comes through.
    """
    directory, rename = _open_target(root, path, into_directory=into_directory)
    reader = ChunkReader(get)
    try:
        report = Unpacker(directory, rename).unpack(reader.read)
        reader.drain()
        return report
    finally:
        os.close(directory)


def _open_target(root: int, path: str, *, into_directory: bool) -> tuple[int, bytes | None]:
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        return open_in_root(root, path, flags), None
    except OSError as error:
        is_free = error.errno in (errno.ENOENT, errno.ENOTDIR)
        if into_directory or not is_free or path.endswith("/"):
            raise CopyFailure(f"cannot copy to {printable(path)}: {os.strerror(error.errno or 0)}") from error
    whole = PurePosixPath(path)
    try:
        return open_in_root(root, str(whole.parent), flags), os.fsencode(whole.name)
    except OSError as error:
        raise CopyFailure(
            f"cannot copy to {printable(path)}: its directory: {os.strerror(error.errno or 0)}"
        ) from error
