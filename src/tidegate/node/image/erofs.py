"""
Writes a layer as one erofs file: a read-only file system that the kernel mounts as it is.

Uncompressed, so that every kernel since 5.4 reads it and every task shares its page cache. The data comes first, in the
archive's order, then the directories, then the inodes: one pass over the archive, no file on the host for any file of
the layer, and the same bytes for the same layer. The on-disk format is that of the kernel (fs/erofs/erofs_fs.h):
superblock, 64-byte inodes with inline attributes, directories as sorted blocks of 12-byte entries.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from tidegate.node.image.layertree import LayerTree, Node

BLOCK = 4096
_MAGIC = 0xE0F5E1E2
_COMPAT_MTIME = 0x2
_SUPERBLOCK = struct.Struct("<IIIBBHQQIIII16s16sI44x")
_INODE = struct.Struct("<HHHHQIIIIQII16x")
_DIRENT = struct.Struct("<QHBB")
_PLAIN, _INLINE = 0, 2
_NOWHERE = 0xFFFFFFFF
_PREFIXES = {
    b"user.": 1,
    b"system.posix_acl_access": 2,
    b"system.posix_acl_default": 3,
    b"trusted.": 4,
    b"security.": 6,
}
_FILE_TYPES = {
    stat.S_IFREG: 1,
    stat.S_IFDIR: 2,
    stat.S_IFCHR: 3,
    stat.S_IFBLK: 4,
    stat.S_IFIFO: 5,
    stat.S_IFLNK: 7,
}


def _xattr_bytes(xattrs: dict[bytes, bytes]) -> bytes:
    if not xattrs:
        return b""
    parts = [bytes(12)]
    for name, value in sorted(xattrs.items()):
        prefix = next(p for p in _PREFIXES if name.startswith(p))
        rest = name[len(prefix) :]
        entry = struct.pack("<BBH", len(rest), _PREFIXES[prefix], len(value)) + rest + value
        parts.append(entry + bytes(-len(entry) % 4))
    return b"".join(parts)


class _Inode:
    """Where one node will stand."""

    __slots__ = ("at", "block", "inline", "layout", "names", "node", "number", "parent", "size", "xattrs")

    def __init__(self, node: Node, parent: _Inode | None) -> None:
        self.node = node
        self.parent = parent or self
        self.xattrs = _xattr_bytes(node.xattrs)
        self.layout = _PLAIN
        self.block = _NOWHERE
        self.inline = 0
        self.size = node.size
        self.names: list[list[tuple[bytes, Node | None]]] = []
        self.at = 0
        self.number = 0


def _directory_blocks(names: list[tuple[bytes, Node | None]]) -> list[list[tuple[bytes, Node | None]]]:
    """Entries in order, as many to a block as fit."""
    blocks: list[list[tuple[bytes, Node | None]]] = [[]]
    used = 0
    for item in names:
        need = _DIRENT.size + len(item[0])
        if used + need > BLOCK:
            blocks.append([])
            used = 0
        blocks[-1].append(item)
        used += need
    return blocks


def _block_bytes(block: list[tuple[bytes, Node | None]]) -> int:
    return sum(_DIRENT.size + len(name) for name, _ in block)


class ErofsSink:
    """See LayerSink. The file at `path` is complete and on the disk once `finish` has returned."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb", buffering=1 << 20)  # noqa: SIM115
        self._file.write(bytes(BLOCK))
        self._blocks = 1

    def put(self, node: Node, pieces: Iterator[tuple[int, bytes]]) -> None:
        node.data = self._blocks
        write, at = self._file.write, 0
        for offset, data in pieces:
            if offset > at:
                self._file.seek(offset - at, os.SEEK_CUR)
            write(data)
            at = offset + len(data)
        blocks = -(-node.size // BLOCK)
        if gap := blocks * BLOCK - at:
            if gap < BLOCK:
                write(bytes(gap))
            else:
                self._file.seek(gap, os.SEEK_CUR)
        self._blocks += blocks

    def finish(self, tree: LayerTree, digest: bytes) -> None:
        inodes = self._plan(tree)
        meta_block = self._lay_out(inodes)
        by_node = {id(inode.node): inode for inode in inodes}
        self._file.seek(self._blocks * BLOCK)
        for inode in inodes:
            for block in inode.names[: len(inode.names) - (1 if inode.inline else 0)]:
                data = self._dirents(block, inode, by_node)
                self._file.write(data + bytes(BLOCK - len(data)))
            if inode.node.target and not inode.inline:
                self._file.write(inode.node.target + bytes(BLOCK - len(inode.node.target)))
        end = meta_block * BLOCK
        for inode in inodes:
            at = meta_block * BLOCK + inode.at
            record = self._record(inode, by_node)
            self._file.write(bytes(at - end) + record)
            end = at + len(record)
        self._file.write(bytes(-end % BLOCK))
        total = -(-end // BLOCK)
        self._file.seek(1024)
        root = inodes[0].at // 32
        self._file.write(
            _SUPERBLOCK.pack(
                _MAGIC, 0, _COMPAT_MTIME, 12, 0, root, len(inodes), 0, 0, total, meta_block, 0, digest[:16], b"", 0
            )
        )
        self._file.flush()
        os.truncate(self._file.fileno(), total * BLOCK)
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Give up; the file stays as it is, useless."""
        self._file.close()

    def _plan(self, tree: LayerTree) -> list[_Inode]:
        """Every node once, the root first: its number must fit into 16 bits."""
        root = _Inode(tree.root, None)
        inodes, seen, directories = [root], {id(tree.root)}, [root]
        for directory in directories:
            children = directory.node.children
            assert children is not None
            names = sorted([*children.items(), (b".", None), (b"..", None)], key=lambda item: item[0])
            directory.names = _directory_blocks(names)
            for node in children.values():
                if id(node) in seen:
                    continue
                seen.add(id(node))
                inode = _Inode(node, directory)
                inodes.append(inode)
                if node.children is not None:
                    directories.append(inode)
        return inodes

    def _lay_out(self, inodes: list[_Inode]) -> int:
        """
        Give each inode its place (bytes from the start of the inodes) and its data its blocks; the first block of the
        inodes.
        """
        next_block, at = self._blocks, 64
        for number, inode in enumerate(inodes, 1):
            inode.number = number
            head = _INODE.size + len(inode.xattrs)
            node = inode.node
            if node.children is not None:
                tail = _block_bytes(inode.names[-1])
                inode.size = (len(inode.names) - 1) * BLOCK + tail
                inode.inline = tail if tail < BLOCK and head + tail <= BLOCK else 0
                full = len(inode.names) - (1 if inode.inline else 0)
                if full:
                    inode.block = next_block
                    next_block += full
            elif stat.S_ISLNK(node.mode):
                inode.inline = inode.size if head + inode.size <= BLOCK else 0
                if not inode.inline:
                    inode.block = next_block
                    next_block += 1
            if isinstance(node.data, int):
                inode.block = node.data
            length = head + inode.inline
            inode.layout = _INLINE if inode.inline else _PLAIN
            if at // BLOCK != (at + length - 1) // BLOCK and (length <= BLOCK):
                at = -(-at // BLOCK) * BLOCK
            inode.at = at
            at = -(-(at + length) // 32) * 32
        return next_block

    def _dirents(self, block: list[tuple[bytes, Node | None]], inode: _Inode, by_node: dict[int, _Inode]) -> bytes:
        offset = _DIRENT.size * len(block)
        entries, names = [], []
        for name, node in block:
            target = by_node[id(node)] if node is not None else inode if name == b"." else inode.parent
            entries.append(_DIRENT.pack(target.at // 32, offset, _FILE_TYPES[stat.S_IFMT(target.node.mode)], 0))
            names.append(name)
            offset += len(name)
        return b"".join(entries) + b"".join(names)

    def _record(self, inode: _Inode, by_node: dict[int, _Inode]) -> bytes:
        node = inode.node
        where = inode.block
        if stat.S_ISCHR(node.mode) or stat.S_ISBLK(node.mode):
            major, minor = node.rdev
            # The kernel's new_encode_dev().
            where = (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
        seconds, nanoseconds = divmod(node.mtime_ns, 10**9)
        head = _INODE.pack(
            1 | inode.layout << 1,
            (len(inode.xattrs) - 12) // 4 + 1 if inode.xattrs else 0,
            node.mode,
            0,
            inode.size,
            where,
            inode.number,
            node.uid,
            node.gid,
            seconds & (1 << 64) - 1,
            nanoseconds,
            node.nlink,
        )
        tail = b""
        if inode.inline:
            tail = node.target if node.children is None else self._dirents(inode.names[-1], inode, by_node)
        return head + inode.xattrs + tail
