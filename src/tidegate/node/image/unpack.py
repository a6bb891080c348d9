"""
The process that unpacks layers: `python -m tidegate.node.image.unpack`, one JSON job a line in, one JSON answer a line
out.

A process of its own, because the archive is hostile and the work is heavy: the node's event loop stays free, and
whatever goes wrong (memory, a crash, a cancelled pull) is ended with the process. It imports little, to start in tens
of milliseconds.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from isal import igzip_threaded

from tidegate.node.image.budget import DiskRoom, Limits
from tidegate.node.image.erofs import ErofsSink
from tidegate.node.image.layersink import unpack_entries
from tidegate.node.image.layerstream import LayerStream, find_packing, open_unpacked
from tidegate.node.image.layertree import LayerTree
from tidegate.node.image.tarstream import TarError, TarReader
from tidegate.node.image.unpacked import DirectorySink

_MEMORY_BYTES = 4 << 30


def unpack_layer(
    blob: Path, target: Path, layer_format: str, limits: Limits, tee: Callable[[bytes], object] | None = None
) -> dict[str, Any]:
    """
    Unpack one layer to `target`, which must not exist. {diff_id, bytes, entries}. Raises TarError, OSError.

    `tee` gets every uncompressed byte.
    """
    most_bytes, refusal = limits.most_bytes(blob.stat().st_size)
    room = DiskRoom(target.parent, limits.reserve_bytes)
    sink = ErofsSink(target) if layer_format == "erofs" else DirectorySink(target)
    tree = LayerTree(limits)
    try:
        with open_unpacked(blob) as source:
            stream = LayerStream(source, most_bytes, tee, refusal=refusal, check=room.check)
            try:
                unpack_entries(TarReader(stream.read), tree, sink)
                stream.drain()
            finally:
                stream.close()
        sink.finish(tree, stream.digest)
    finally:
        sink.close()
    return {"diff_id": f"sha256:{stream.digest.hex()}", "bytes": stream.size, "entries": tree.entries}


class _HashedFile:
    """Passes writes on, hashing them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def take_in(source: Path, blob: Path, target: Path, layer_format: str, limits: Limits) -> dict[str, Any]:
    """
    A tar from anywhere as a layer: its compressed form to `blob`, unpacked to `target`. As unpack_layer, with {digest,
    size, packing}.

    What is compressed is kept as it is; a plain tar is packed with gzip, as registries and other tools expect it.
    """
    with open(source, "rb") as file:
        packing = find_packing(file.read(4))
    with open(blob, "xb") as raw:
        hashed = _HashedFile(raw)
        if packing == "plain":
            with igzip_threaded.open(hashed, "wb", compresslevel=1, threads=1) as packed:  # type: ignore[no-untyped-call]
                answer = unpack_layer(source, target, layer_format, limits, packed.write)
            packing = "gzip"
        else:
            with open(source, "rb") as file:
                while data := file.read(1 << 20):
                    hashed.write(data)
            raw.flush()
            answer = unpack_layer(blob, target, layer_format, limits)
        raw.flush()
        os.fsync(raw.fileno())
    return {**answer, "digest": f"sha256:{hashed.hash.hexdigest()}", "size": hashed.size, "packing": packing}


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """The answer to one job; {error, message} if it failed."""
    try:
        limits = Limits(**job["limits"])
        target, layer_format = Path(job["target"]), job["format"]
        if "source" in job:
            return take_in(Path(job["source"]), Path(job["blob"]), target, layer_format, limits)
        return unpack_layer(Path(job["blob"]), target, layer_format, limits)
    except TarError as error:
        return {"error": "corrupt", "message": str(error)}
    except (MemoryError, RecursionError) as error:
        return {"error": "corrupt", "message": f"cannot unpack the layer: {error!r}"}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"error": "no_space", "message": "cannot unpack the layer: no space left on device"}
        return {"error": "failed", "message": f"cannot unpack the layer: {error.strerror}"}


def main() -> None:
    """Answer jobs until stdin ends."""
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(run_job(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
