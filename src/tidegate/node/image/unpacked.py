"""
Writes a layer as a directory of files: for hosts that can't mount erofs.

Contents are written aside under numbers as they stream by; only when the whole tree is known and clean are directories
made and files moved to their names. So no name of the archive is ever looked up on the host while it could still lead
somewhere.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from tidegate.node.image.layertree import LayerTree, Node

_DIRECTORY = os.O_DIRECTORY | os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class DirectorySink:
    """See LayerSink. Makes `path`/root; the caller deletes `path` if it fails."""

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        self._root = path / "root"
        self._aside = path / "data"
        self._aside.mkdir()
        self._aside_fd = os.open(self._aside, _DIRECTORY)
        self._count = 0

    def put(self, node: Node, pieces: Iterator[tuple[int, bytes]]) -> None:
        node.data = name = self._new_name()
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=self._aside_fd)
        try:
            at = 0
            for offset, data in pieces:
                view = memoryview(data)
                at = offset
                while at < offset + len(data):
                    at += os.pwrite(fd, view[at - offset :], at)
            if at != node.size:
                os.ftruncate(fd, node.size)
            _describe(node, fd)
        finally:
            os.close(fd)

    def finish(self, tree: LayerTree, digest: bytes) -> None:
        self._root.mkdir()
        root = os.open(self._root, _DIRECTORY)
        # Directories are entered by descriptor, one for each level, so that no path grows past the host's limit.
        stack = [(tree.root, root, iter((tree.root.children or {}).items()))]
        while stack:
            directory, fd, rest = stack[-1]
            for name, node in rest:
                if node.children is not None:
                    os.mkdir(name, 0o700, dir_fd=fd)
                    stack.append((node, os.open(name, _DIRECTORY, dir_fd=fd), iter(node.children.items())))
                    break
                self._place(node, name, fd)
            else:
                _describe(directory, fd)
                os.close(fd)
                stack.pop()
        self.close()
        shutil.rmtree(self._aside)
        _sync_file_system(self._root)

    def close(self) -> None:
        """Give up; what is there stays for the caller to delete."""
        if self._aside_fd >= 0:
            os.close(self._aside_fd)
            self._aside_fd = -1

    def _new_name(self) -> str:
        self._count += 1
        return str(self._count)

    def _place(self, node: Node, name: bytes, fd: int) -> None:
        if node.data is None:
            if node.nlink == 1:
                _make(node, name, fd)
                return
            node.data = self._new_name()
            _make(node, str(node.data).encode(), self._aside_fd)
        if node.nlink == 1:
            os.rename(str(node.data), name, src_dir_fd=self._aside_fd, dst_dir_fd=fd)
        else:
            os.link(str(node.data), name, src_dir_fd=self._aside_fd, dst_dir_fd=fd, follow_symlinks=False)


def _sync_file_system(path: Path) -> None:
    """syncfs(2): one call for ten thousand files."""
    fd = os.open(path, _DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)


def _make(node: Node, name: bytes, directory_fd: int) -> None:
    """A file without contents: a symbolic link, a device, a fifo, an empty file."""
    if stat.S_ISLNK(node.mode):
        os.symlink(node.target, name, dir_fd=directory_fd)
    else:
        os.mknod(name, stat.S_IFMT(node.mode) | 0o600, os.makedev(*node.rdev), dir_fd=directory_fd)
    os.chown(name, node.uid, node.gid, dir_fd=directory_fd, follow_symlinks=False)
    if not stat.S_ISLNK(node.mode):
        # Just made by us in a directory of ours: it is no symbolic link.
        os.chmod(name, stat.S_IMODE(node.mode), dir_fd=directory_fd)
    if node.xattrs:
        _set_xattrs(node, f"/proc/self/fd/{directory_fd}/".encode() + name)
    os.utime(name, ns=(node.mtime_ns, node.mtime_ns), dir_fd=directory_fd, follow_symlinks=False)


def _describe(node: Node, fd: int) -> None:
    # In this order: a change of owner takes setuid bits and capabilities away, and everything touches the times.
    os.fchown(fd, node.uid, node.gid)
    os.fchmod(fd, stat.S_IMODE(node.mode))
    if node.xattrs:
        _set_xattrs(node, fd)
    os.utime(fd, ns=(node.mtime_ns, node.mtime_ns))


def _set_xattrs(node: Node, where: bytes | int) -> None:
    for key, value in node.xattrs.items():
        try:
            if isinstance(where, int):
                os.setxattr(where, key, value)
            else:
                os.setxattr(where, key, value, follow_symlinks=False)
        except OSError as error:
            # A file system may lack ACLs, and keeps the user's attributes on files and directories only; no container
            # can do without the others: a capability, or that a directory hides the one below.
            if key.startswith((b"trusted.", b"security.")) or error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                raise
