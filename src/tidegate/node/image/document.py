"""JSON documents that are known by their digests, read as hostile input."""

from __future__ import annotations

import hashlib
import re
from typing import TypeVar

import msgspec

from tidegate.node.image.images import ImageCorrupt

_T = TypeVar("_T")

MAX_DOCUMENT_BYTES = 4 << 20
"""As registries and containerd have it for manifests."""

ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
"""Ours -> OCI's."""

_DIGEST = re.compile(r"sha256:[a-f0-9]{64}\Z")


def digest_of(data: bytes) -> str:
    """sha256:..."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """If the text is a digest that this store can use as a file name."""
    return _DIGEST.match(text) is not None


def decode(raw: bytes, kind: type[_T], what: str) -> _T:
    """The document as `kind`; `what` it is, for people. Raises ImageCorrupt."""
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise ImageCorrupt(f"cannot read the image's {what}: {len(raw)} bytes are too many")
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ImageCorrupt(f"cannot read the image's {what}: {error}") from error
