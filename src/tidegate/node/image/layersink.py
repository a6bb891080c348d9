"""
What becomes of a layer's files: the seam between reading an archive and keeping it, with one writer per layer format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tidegate.node.image.layertree import LayerTree, Node
from tidegate.node.image.tarstream import Entry, TarError, TarReader

CHUNK = 1 << 20


class LayerSink(Protocol):
    """Writers: `erofs` (one file), `unpacked` (a directory). Used by one thread; nothing is visible before `finish`."""

    def put(self, node: Node, pieces: Iterator[tuple[int, bytes]]) -> None:
        """
        Keep a regular file's contents: (offset, bytes), offsets grow, what is between them and up to the size is zero.
        """

    def finish(self, tree: LayerTree, digest: bytes) -> None:
        """Everything is in the tree: write it, durably. `digest` is the layer's DiffID, 32 bytes."""


def pieces_of(reader: TarReader, entry: Entry) -> Iterator[tuple[int, bytes]]:
    """The data of the entry that the reader stands at, with the place of each piece."""
    for start, length in entry.sparse if entry.sparse is not None else [(0, entry.size)]:
        offset, end = start, start + length
        while offset < end:
            data = reader.read_data(min(CHUNK, end - offset))
            if not data:
                raise TarError(f"cannot read {entry.name!r}: the archive holds less of it than it says")
            yield offset, data
            offset += len(data)


def unpack_entries(reader: TarReader, tree: LayerTree, sink: LayerSink) -> None:
    """Read the archive to its end into the tree and the sink. Raises TarError, OSError."""
    for entry in reader:
        node = tree.add(entry)
        if node is not None and node.size:
            sink.put(node, pieces_of(reader, entry))
    tree.count_links()
