"""What skopeo says becomes the class and the words of a task's reason."""

from __future__ import annotations

import pytest

from tidegate.node.image.images import (
    ImageCorrupt,
    ImageError,
    ImageNoSpace,
    ImageNotFound,
    ImageUnauthorized,
    ImageUnreachable,
)
from tidegate.node.image.pullerrors import explain, read_message

REF = "127.0.0.1:5000/team/app:v1"


def fatal(message: str) -> str:
    quoted = message.replace("\\", "\\\\").replace('"', '\\"')
    return f'time="2024-01-01T00:00:00Z" level=warning msg="again"\ntime="2024-01-01" level=fatal msg="{quoted}"\n'


# Some were seen with skopeo 1.9 and docker-registry (test_pull asks those again), others follow registries' codes.
MANIFEST = [
    ("reading manifest v1 in 127.0.0.1:5000/team/app: manifest unknown: manifest unknown", ImageNotFound),
    ("reading manifest v1 in 127.0.0.1:5000/team/app: name unknown: name not known to registry", ImageNotFound),
    ("reading manifest v1 in 127.0.0.1:5000/team/app: unauthorized: authentication required", ImageUnauthorized),
    (
        "reading manifest latest in docker.io/library/nope: requested access to the resource is denied",
        ImageUnauthorized,
    ),
    ("reading manifest latest in docker.io/x/y: denied: requested access to the resource is denied", ImageUnauthorized),
    ("unable to retrieve auth token: invalid username/password: unauthorized: incorrect", ImageUnauthorized),
    (
        "reading manifest latest in docker.io/library/nginx: toomanyrequests: You have reached your pull rate limit.",
        ImageUnreachable,
    ),
    (
        'pinging container registry 127.0.0.1:1: Get "http://127.0.0.1:1/v2/": dial tcp: connection refused',
        ImageUnreachable,
    ),
    ("pinging container registry x.invalid: dial tcp: lookup x.invalid: no such host", ImageUnreachable),
    ('Get "https://10.0.0.1/v2/": net/http: TLS handshake timeout', ImageUnreachable),
    ("pinging container registry h: Get: x509: certificate signed by unknown authority", ImageUnreachable),
    ("no answer within 60 seconds: i/o timeout", ImageUnreachable),
    ("reading manifest v1 in h/x: received unexpected HTTP status: 503 Service Unavailable", ImageUnreachable),
    ("something new", ImageError),
]


@pytest.mark.parametrize("message, kind", MANIFEST)
def test_a_manifest_that_does_not_come(message: str, kind: type[ImageError]) -> None:
    """Its reference is in the reason, so that a user sees which of a task's images it was."""
    error = explain(fatal(message), REF, 2, is_manifest=True)
    assert type(error) is kind
    tries = 3 if kind is ImageUnreachable else 1
    assert str(error).startswith(f"pull image manifest has been retried {tries} time(s): failed to resolve ref {REF}: ")
    assert message in str(error)


LAYERS = [
    (
        "writing blob: happened during read: Digest did not match, expected sha256:0f, got sha256:ef",
        ImageCorrupt,
    ),
    ("writing blob: storing blob: write /x/oci-put-blob1: no space left on device", ImageNoSpace),
    ("reading blob sha256:0f: Error fetching blob: invalid status code from registry 404 (Not Found)", ImageNotFound),
    ("reading manifest sha256:c6 in h/t: manifest unknown: manifest unknown", ImageCorrupt),
    ("copying system image from manifest list: unexpected EOF", ImageUnreachable),
    ("no byte received for 60 seconds: i/o timeout", ImageUnreachable),
    ("Manifest does not match provided manifest digest sha256:ab", ImageCorrupt),
]


@pytest.mark.parametrize("message, kind", LAYERS)
def test_a_layer_that_does_not_come(message: str, kind: type[ImageError]) -> None:
    """The other of AWS's two heads."""
    error = explain(fatal(message), REF, 0, is_manifest=False)
    assert type(error) is kind
    assert str(error).startswith("ref pull has been retried 1 time(s): failed to copy: ")


def test_access_denied_is_said_as_aws_says_it() -> None:
    """Registries do not tell a missing repository from a private one, and neither does the message."""
    error = explain(fatal("unauthorized: authentication required"), REF, 0, is_manifest=True)
    assert "pull access denied, repository does not exist or may require authorization: unauthorized" in str(error)


@pytest.mark.parametrize(
    "stderr, message",
    [
        (fatal('Error parsing image name "docker://h/x:1": reading "x"'), 'reading "x"'),
        ("FATA[0003] reading manifest: manifest unknown\n", "reading manifest: manifest unknown"),
        ("level=fatal msg=short\n", "short"),
        ("panic: something\n", "panic: something"),
        ("", ""),
    ],
)
def test_the_message_is_found_in_what_skopeo_writes(stderr: str, message: str) -> None:
    """In its log form, its form for terminals, or anything else."""
    assert read_message(stderr) == message


def test_a_long_message_keeps_its_end() -> None:
    """AWS cuts a reason at 1024 characters; why it failed stands last."""
    text = str(explain(fatal("x" * 5000 + ": manifest unknown"), REF, 0, is_manifest=True))
    assert len(text) < 1000
    assert text.endswith(": manifest unknown")
