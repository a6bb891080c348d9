"""
Packs a root file system into an OCI archive, the same bytes for the same files.

An OCI archive is a tar of an OCI image layout: `oci-layout`, `index.json`, and `blobs/sha256/` with the layer, the
configuration and the manifest. Source: OCI image specification 1.0, image-layout.md and layer.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from isal import igzip

_EMPTIED = ("dev", "proc", "sys", "run", "tmp")
"""Directories whose content a container's runtime supplies, or that hold what building left behind."""

_KEPT_XATTRS = ("security.capability",)
_COMPRESSION = 2
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A content-addressed piece of an image, on disk."""

    path: Path
    digest: str
    size: int


def write_layer(root: Path, path: Path, epoch: int) -> tuple[Blob, str]:
    """
    The whole of `root` as one gzip layer in `path`; returns it and its DiffID (the digest uncompressed).

    epoch: no time in the layer is later (seconds). Owners, modes, hard links and file capabilities are kept.
    """
    with path.open("wb") as file:
        outer = _Hashing(file)
        with _compressor(outer) as zipped:
            inner = _Hashing(zipped)
            with tarfile.open(fileobj=inner, mode="w|", bufsize=_BUFFER_BYTES, format=tarfile.PAX_FORMAT) as tar:
                for entry in _walk(root):
                    _add(tar, root, entry, epoch)
    return Blob(path, outer.digest, outer.size), inner.digest


def _compressor(target: BinaryIO | io.RawIOBase) -> igzip.IGzipFile:
    """gzip without a name or a time in its header."""
    make: Callable[..., igzip.IGzipFile] = igzip.IGzipFile
    return make(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=target, mtime=0)


class _Hashing(io.RawIOBase):
    """Passes writes on and knows their digest and size."""

    def __init__(self, target: BinaryIO | igzip.IGzipFile) -> None:
        super().__init__()
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self.size += len(data)
        self._target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        """Of all that was written so far."""
        return f"sha256:{self._hash.hexdigest()}"


def _walk(root: Path) -> Iterator[Path]:
    """Everything below `root`, each directory before its content, by name."""
    for entry in sorted(root.iterdir(), key=lambda path: os.fsencode(path.name)):
        yield entry
        if entry.is_dir() and not entry.is_symlink() and not (entry.parent == root and entry.name in _EMPTIED):
            yield from _walk(entry)


def _add(tar: tarfile.TarFile, root: Path, path: Path, epoch: int) -> None:
    if not (path.is_symlink() or path.is_dir() or path.is_file()):
        return  # devices, sockets and pipes are the runtime's business
    info = tar.gettarinfo(str(path), arcname=str(path.relative_to(root)))
    info.uname = info.gname = ""
    info.mtime = min(int(info.mtime), epoch)
    info.mode = stat.S_IMODE(info.mode)
    if not path.is_symlink():
        for name in _KEPT_XATTRS:
            if name in os.listxattr(path):
                value = os.getxattr(path, name).decode("utf-8", "surrogateescape")
                info.pax_headers = {**info.pax_headers, f"SCHILY.xattr.{name}": value}
    if info.isreg():
        with path.open("rb") as file:
            tar.addfile(info, file)
    else:
        tar.addfile(info)


def write_archive(
    path: Path, layer: Blob, diff_id: str, config: Mapping[str, Any], *, architecture: str, name: str, epoch: int
) -> str:
    """
    An OCI archive of one layer; returns the manifest's digest.

    architecture: as Go names it (amd64, arm64). name: the reference in the index, for people.
    """
    image = {
        "created": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "tidegate build_image"}],
    }
    config_bytes = _json(image)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config_bytes),
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": layer.digest,
                "size": layer.size,
            }
        ],
    }
    manifest_bytes = _json(manifest)
    described: dict[str, Any] = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest_bytes)
    described["annotations"] = {"org.opencontainers.image.ref.name": name}
    described["platform"] = {"architecture": architecture, "os": "linux"}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described]}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        _add_bytes(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}), epoch)
        _add_bytes(tar, "index.json", _json(index), epoch)
        for content in (config_bytes, manifest_bytes):
            _add_bytes(tar, f"blobs/sha256/{hashlib.sha256(content).hexdigest()}", content, epoch)
        info = _info(f"blobs/{layer.digest.replace(':', '/')}", layer.size, epoch)
        with layer.path.open("rb") as file:
            tar.addfile(info, file)
    return str(described["digest"])


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {
        "mediaType": media_type,
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
    }


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes, epoch: int) -> None:
    tar.addfile(_info(name, len(content), epoch), io.BytesIO(content))


def _info(name: str, size: int, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, epoch, 0o644
    return info
