"""What skopeo's messages mean, in the words and classes of a task's reason (AWS: CannotPullContainer task errors)."""

from __future__ import annotations

import json
import re

from tidegate.node.image.images import (
    ImageCorrupt,
    ImageError,
    ImageNoSpace,
    ImageNotFound,
    ImageUnauthorized,
    ImageUnreachable,
)

_FATAL = re.compile(r'level=fatal msg=("(?:[^"\\]|\\.)*"|\S+)|^FATA\[\d+\]\s*(.*)', re.MULTILINE)
_NAMED = re.compile(r'^Error parsing image name "[^"]*": ')
_MOST = 600
"""A reason is cut at 1024 characters; its end says most."""

# In this order: a message may match several, as "unauthorized" stands within a retried network error.
_MEANINGS: tuple[tuple[type[ImageError], re.Pattern[str]], ...] = (
    (ImageNoSpace, re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)),
    (ImageUnreachable, re.compile(r"toomanyrequests|too many requests", re.IGNORECASE)),
    (
        ImageUnauthorized,
        re.compile(
            r"unauthorized|authentication required|access.{0,40}denied|denied:|invalid username|\b40[13]\b",
            re.IGNORECASE,
        ),
    ),
    (
        ImageNotFound,
        re.compile(
            r"manifest unknown|name unknown|not known to registry|repository .*not found|\b404\b|blob unknown",
            re.IGNORECASE,
        ),
    ),
    (
        ImageCorrupt,
        re.compile(
            r"did not match|does not match|digest mismatch|size mismatch|mismatched|invalid checksum",
            re.IGNORECASE,
        ),
    ),
    (
        ImageUnreachable,
        re.compile(
            r"connection (refused|reset)|no such host|timeout|unreachable|x509|tls:|pinging|EOF|deadline|dial tcp"
            r"|\b50[0234]\b|server gave HTTP response",
            re.IGNORECASE,
        ),
    ),
)


def read_message(stderr: str) -> str:
    """The fatal message of skopeo's log, without its form."""
    found = _FATAL.findall(stderr)
    if not found:
        return stderr.strip().rpartition("\n")[2][-_MOST:]
    quoted, plain = found[-1]
    text: str = plain or quoted
    if quoted.startswith('"'):
        try:
            text = str(json.loads(quoted))
        except ValueError:
            text = quoted.strip('"')
    text = _NAMED.sub("", text)
    return text if len(text) <= _MOST else "..." + text[-_MOST:]


def explain(stderr: str, reference: str, retries: int, *, is_manifest: bool) -> ImageError:
    """The error for a pull that ended with this output; `is_manifest`: before any layer was asked for."""
    message = read_message(stderr)
    kind = next((kind for kind, pattern in _MEANINGS if pattern.search(message)), ImageError)
    if kind is ImageNotFound and not is_manifest and "reading manifest" in message:
        # A moment ago the registry gave us this very manifest by its tag.
        kind, message = ImageCorrupt, f"the manifest that the registry gives is not one that it knows: {message}"
    tries = 1 + retries if kind is ImageUnreachable else 1
    if is_manifest:
        head = f"pull image manifest has been retried {tries} time(s): failed to resolve ref {reference}: "
    else:
        head = f"ref pull has been retried {tries} time(s): failed to copy: "
    if kind is ImageUnauthorized:
        message = f"pull access denied, repository does not exist or may require authorization: {message}"
    elif kind is ImageNotFound:
        message = f"{reference}: not found: {message}"
    return kind(head + message)
