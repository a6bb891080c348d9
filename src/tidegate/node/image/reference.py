"""
Names of images as docker understands them (distribution's reference grammar): `nginx` is
docker.io/library/nginx:latest.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from tidegate.node.image.images import ImageError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}\Z")
_HEX = re.compile(r"[a-f0-9]{64}\Z")


@dataclass(frozen=True)
class Reference:
    """A whole name: either `tag` or `digest` says which image of the repository."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    def with_digest(self, digest: str) -> Reference:
        """The same repository's image with this digest."""
        return Reference(self.registry, self.repository, None, digest)


def parse_reference(text: str) -> Reference:
    """
    Read a name with docker's defaults. With a tag and a digest, the digest decides. Raises ImageError.

    The first part is a registry if it holds a dot, a colon or capitals, or is `localhost`.
    """
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        raise _invalid(text)
    first, slash, others = rest.partition("/")
    if slash and (first == "localhost" or any(c in first for c in ".:") or first.lower() != first):
        registry, path = first, others
    else:
        registry, path = "docker.io", rest
    path, colon, tag = path.partition(":")
    if registry == "index.docker.io":
        registry = "docker.io"
    if registry == "docker.io" and "/" not in path:
        path = f"library/{path}"
    if not _REGISTRY.match(registry) or not _PATH.match(path) or len(registry) + len(path) > 254:
        raise _invalid(text)
    if (colon and not _TAG.match(tag)) or _HEX.match(rest):
        raise _invalid(text)
    return Reference(registry, path, None if digest else tag or "latest", digest or None)


def is_loopback(registry: str) -> bool:
    """If the registry is on this machine: docker speaks plain HTTP to those."""
    host = registry.rsplit(":", 1)[0] if not registry.endswith("]") else registry
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _invalid(text: str) -> ImageError:
    return ImageError(f"invalid reference format: {text[:255]!r} is no name of an image")
