"""
The tree of files that one layer of an image describes, kept inside its root whatever the archive says.

A name is walked in this tree alone, never on the host's file system: `..` ends at the root, a symbolic link leads to
where it would inside a container, a hard link must name a file of the same layer. Whiteouts (OCI image specification,
layer.md) become what overlayfs understands: a character device 0:0 for a file that is gone, `trusted.overlay.opaque` on
a directory whose lower contents are.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from tidegate.node.image import tarstream
from tidegate.node.image.budget import Limits
from tidegate.node.image.tarstream import Entry, TarError

_WHITEOUT, _WHITEOUT_META, _OPAQUE = b".wh.", b".wh..wh.", b".wh..wh..opq"
_MAX_LINKS = 40
_MAX_ID = (1 << 32) - 2
_MAX_XATTR_BYTES = 64 << 10
_MAX_TIME_NS = 10**9 << 33
_TYPES = {
    tarstream.REGULAR: stat.S_IFREG,
    tarstream.SYMLINK: stat.S_IFLNK,
    tarstream.CHARACTER: stat.S_IFCHR,
    tarstream.BLOCK_DEVICE: stat.S_IFBLK,
    tarstream.FIFO: stat.S_IFIFO,
}


class Node:
    """One file. `nlink` counts names; `data` is the writer's note of where a regular file's contents are."""

    __slots__ = ("children", "data", "gid", "mode", "mtime_ns", "nlink", "rdev", "size", "target", "uid", "xattrs")

    def __init__(self, mode: int, uid: int = 0, gid: int = 0, mtime_ns: int = 0) -> None:
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime_ns = mtime_ns
        self.size = 0
        self.rdev = (0, 0)
        self.target = b""
        self.xattrs: dict[bytes, bytes] = {}
        self.nlink = 1
        self.data: object = None
        self.children: dict[bytes, Node] | None = {} if stat.S_ISDIR(mode) else None

    @property
    def is_whiteout(self) -> bool:
        return stat.S_ISCHR(self.mode) and self.rdev == (0, 0)


def _is_kept(xattr: bytes) -> bool:
    """
    Capabilities, ACLs and the user's own. What steers overlayfs or the host's security modules is not the image's to
    say.
    """
    return (
        xattr in (b"security.capability", b"system.posix_acl_access", b"system.posix_acl_default")
        or (xattr.startswith(b"user.") and not xattr.startswith(b"user.overlay."))
    ) and len(xattr) <= 255


class LayerTree:
    """Grows entry by entry in the archive's order; a later entry replaces an earlier one of the same name."""

    def __init__(self, limits: Limits) -> None:
        self.root = Node(stat.S_IFDIR | 0o755)
        self.entries = 0
        self.bytes = 0
        self._limits = limits
        self._metadata = 0

    def add(self, entry: Entry) -> Node | None:
        """Take one entry in. The node, if it is a regular file whose data must be kept now. Raises TarError."""
        self._count(entry)
        parts = [part for part in entry.name.split(b"/") if part not in (b"", b".")]
        if not parts or parts[-1] == b"..":
            if entry.kind == tarstream.DIRECTORY and not parts:
                self._describe(self.root, entry)
            return None
        parent = self._walk(parts[:-1], entry.name)
        name = parts[-1]
        if len(name) > 255 or b"\0" in name:
            raise TarError(f"cannot unpack {entry.name[:80]!r}: the name is not possible in a file system")
        if name.startswith(_WHITEOUT):
            self._white_out(parent, name)
            return None
        if entry.kind == tarstream.HARD_LINK:
            self._link(parent, name, entry)
            return None
        return self._place(parent, name, entry)

    def walk(self) -> Iterator[tuple[Node, bytes, Node]]:
        """(directory, name, node) of everything under the root, parents first."""
        stack = [self.root]
        while stack:
            directory = stack.pop()
            for name, node in (directory.children or {}).items():
                yield directory, name, node
                if node.children is not None:
                    stack.append(node)

    def count_links(self) -> None:
        """Set `nlink` of every node, once the tree is complete."""
        self.root.nlink = 2
        for _, _, node in self.walk():
            node.nlink = 0
        for directory, _, node in self.walk():
            node.nlink += 1
            if node.children is not None:
                node.nlink += 1
                directory.nlink += 1

    def _count(self, entry: Entry) -> None:
        self._add_one()
        self.bytes += entry.size
        self._metadata += len(entry.name) + len(entry.link)
        self._metadata += sum(len(key) + len(value) for key, value in entry.xattrs.items())
        if self._metadata > self._limits.metadata_bytes:
            raise TarError("cannot unpack the layer: its names and attributes take too much memory")
        if self.bytes > self._limits.bytes:
            raise TarError(f"cannot unpack the layer: it is larger than {self._limits.bytes >> 20} MiB")
        if not (0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
            raise TarError(f"cannot unpack {entry.name!r}: its owner {entry.uid}:{entry.gid} is not possible")

    def _add_one(self) -> None:
        self.entries += 1
        if self.entries > self._limits.entries:
            raise TarError(f"cannot unpack the layer: it has more than {self._limits.entries} files")

    def _walk(self, parts: list[bytes], name: bytes) -> Node:
        """The directory that `parts` name, made where it is missing."""
        todo = list(reversed(parts))
        path: list[Node] = [self.root]
        links = 0
        while todo:
            part = todo.pop()
            if part == b"..":
                path = path[:-1] or path
                continue
            children = path[-1].children
            assert children is not None
            node = children.get(part)
            if node is not None and stat.S_ISLNK(node.mode):
                links += 1
                if links > _MAX_LINKS:
                    raise TarError(f"cannot unpack {name!r}: too many levels of symbolic links")
                if node.target.startswith(b"/"):
                    path = [self.root]
                todo += reversed([part for part in node.target.split(b"/") if part not in (b"", b".")])
                continue
            path.append(self._directory(path[-1], part, node, name))
            if len(path) > self._limits.depth:
                raise TarError(f"cannot unpack {name[:80]!r}: the directories are nested too deeply")
        return path[-1]

    def _directory(self, parent: Node, part: bytes, node: Node | None, name: bytes) -> Node:
        if node is not None and node.children is not None:
            return node
        if node is not None and not node.is_whiteout:
            raise TarError(f"cannot unpack {name!r}: {part!r} is not a directory")
        if len(part) > 255 or b"\0" in part:
            raise TarError(f"cannot unpack {name[:80]!r}: the name is not possible in a file system")
        self._add_one()
        made = Node(stat.S_IFDIR | 0o755)
        self._put(parent, part, made)
        return made

    def _put(self, parent: Node, name: bytes, node: Node) -> None:
        assert parent.children is not None
        old = parent.children.get(name)
        if old is not None and node.children is not None and old.is_whiteout:
            # The order of a whiteout and of what takes its place is free: either way nothing of lower layers shows
            # through.
            node.xattrs[b"trusted.overlay.opaque"] = b"y"
        parent.children[name] = node

    def _white_out(self, parent: Node, name: bytes) -> None:
        if name == _OPAQUE:
            parent.xattrs[b"trusted.overlay.opaque"] = b"y"
            return
        gone = name[len(_WHITEOUT) :]
        if name.startswith(_WHITEOUT_META) or gone in (b"", b".", b".."):
            return
        assert parent.children is not None
        node = parent.children.get(gone)
        if node is None:
            parent.children[gone] = Node(stat.S_IFCHR)
        elif node.children is not None:
            node.xattrs[b"trusted.overlay.opaque"] = b"y"

    def _link(self, parent: Node, name: bytes, entry: Entry) -> None:
        parts = [part for part in entry.link.split(b"/") if part not in (b"", b".")]
        if not parts:
            raise TarError(f"cannot unpack {entry.name!r}: a hard link to nothing")
        holder = self._walk(parts[:-1], entry.name).children
        node = holder.get(parts[-1]) if holder is not None else None
        if node is None or node.children is not None or node.is_whiteout:
            raise TarError(
                f"cannot unpack {entry.name!r}: a hard link to {entry.link!r}, which is no file of this layer"
            )
        if (parent.children or {}).get(name) is node:
            return
        self._put(parent, name, node)

    def _place(self, parent: Node, name: bytes, entry: Entry) -> Node | None:
        assert parent.children is not None
        old = parent.children.get(name)
        if entry.kind == tarstream.DIRECTORY:
            if old is None or old.children is None:
                old = Node(stat.S_IFDIR)
                self._put(parent, name, old)
            self._describe(old, entry)
            return None
        node = Node(_TYPES[entry.kind])
        self._describe(node, entry)
        if entry.kind == tarstream.SYMLINK:
            if not 0 < len(entry.link) < 4096 or b"\0" in entry.link:
                raise TarError(f"cannot unpack {entry.name!r}: the symbolic link leads nowhere")
            node.target, node.size = entry.link, len(entry.link)
        major, minor = entry.rdev
        if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
            raise TarError(f"cannot unpack {entry.name!r}: device {major}:{minor} is not possible")
        node.rdev = entry.rdev
        self._put(parent, name, node)
        if entry.kind == tarstream.REGULAR:
            node.size = entry.size
            return node
        return None

    @staticmethod
    def _describe(node: Node, entry: Entry) -> None:
        node.mode = stat.S_IFMT(node.mode) | entry.mode
        if stat.S_ISLNK(node.mode):
            node.mode = stat.S_IFLNK | 0o777
        node.uid, node.gid = entry.uid, entry.gid
        node.mtime_ns = min(max(entry.mtime_ns, -_MAX_TIME_NS), _MAX_TIME_NS)
        kept = {key: value for key, value in entry.xattrs.items() if _is_kept(key)}
        if sum(len(key) + len(value) for key, value in kept.items()) > _MAX_XATTR_BYTES:
            raise TarError(
                f"cannot unpack {entry.name!r}: it has more than {_MAX_XATTR_BYTES} bytes of extended attributes"
            )
        if b"trusted.overlay.opaque" in node.xattrs:
            kept[b"trusted.overlay.opaque"] = b"y"
        node.xattrs = kept
